"""Sound as samples: what a file is, decoding, levels, voice activity, where to cut.

What is said, and by whom, is the business of `model` and `metrics`.
"""
