"""The work of two stages, with a note that ends its process; in a module that the processes of joblib and Ray can import."""

import os
from pathlib import Path

from stages import convert, segment
from voz.pipeline import records

POISONED = "2.wav"


def convert_or_die(given: convert.HashedFile, entry: Path, p: convert.Params) -> None:
    """`convert.convert_into_cache`; POISONED ends its process."""
    if given.file.name == POISONED:
        os._exit(7)
    convert.convert_into_cache(given, entry, p)


def segment_or_die(note: records.Note, entry: Path, wavs: Path, p: segment.Params) -> None:
    """`segment.segment_into_cache`; POISONED ends its process."""
    if note.name == POISONED:
        os._exit(7)
    segment.segment_into_cache(note, entry, wavs, p)
