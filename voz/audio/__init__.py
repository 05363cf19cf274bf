"""Audio: formats, decoding, levels, voice activity, where to cut.

Words and speakers belong to the rooms `model` and `metrics`.
"""
