"""The networks: XTTS and Whisper, how they are loaded, trained, spoken with and exported.

What their output is worth is measured in `metrics`.
"""
