"""The synthetic speech that everything learns from: sentences, voices, espeak-ng, rooms, noise, a phone's Opus; and the demo's notes.

Nothing here trains a model or imports one.
"""
