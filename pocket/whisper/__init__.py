"""The pocket Whisper, which transcribes the demo: its training clips, its vocabulary, its training.

The speech is made in pocket/corpus; what the model is worth is measured by pocket/evaluate.py.
"""
