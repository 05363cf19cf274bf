"""The files of an XTTS base model. Imports nothing, so that a tool can check for them without loading torch."""

BASE_FILES = ("model.pth", "config.json", "vocab.json", "dvae.pth", "mel_stats.pth")
