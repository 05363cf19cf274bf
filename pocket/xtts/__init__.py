"""The pocket XTTS, the base that the demo fine-tunes: DVAE, GPT, speaker encoder and decoder, each with its data and its training.

The speech is made in pocket/corpus; what the voices are worth is measured by pocket/evaluate_voices.py.
"""
