"""Spanish text: written out as it is read aloud, numbers in words, and the limits of the model's tokenizer.

No model is loaded here and no file is read.
"""
