"""Spanish text: how it is read aloud, numbers in words, and what the model's tokenizer can take.

No model is loaded here and no file is read.
"""
