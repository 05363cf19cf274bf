"""Data that people give and receive: notes, where they came from, consent, corrections, the base's files, the LJSpeech dataset.

The records that flow between stages are in `voz/pipeline/records.py`.
"""
