"""The text of a clip: what a person wrote, or Whisper, and how XTTS reads it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voz.text import normalize, tokens, unspoken
from voz.text.reader import aloud

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer  # only for the annotations: importing it takes seconds


@dataclass(frozen=True)
class ClipText:
    """One text in its forms.

    written: one line without `|`, which separates the columns of LJSpeech.
    normalized: as XTTS reads it.
    spoken: the words alone.
    cut_off: pieces of Whisper's text that nobody said.
    dropped: emoji and the like, which are not read.
    unread: characters that stand for words and cannot be read.
    """

    written: str
    normalized: str
    spoken: str
    cut_off: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    unread: str = ""


def of(corrected: str, transcribed: str, tokenizer: "VoiceBpeTokenizer") -> ClipText:
    """A person's text as it is, or else Whisper's without annotations and credits.

    Args:
        corrected: the person's; empty if there is none.
    """
    cut = unspoken.Cut(corrected, ()) if corrected else unspoken.cut(transcribed)
    written = " ".join(cut.text.replace("|", ",").split())
    reading = aloud.read(written)
    return ClipText(
        written,
        tokens.fit(reading.text, tokenizer),
        normalize.words(reading.text),
        cut_off=cut.pieces,
        dropped=reading.dropped,
        unread=reading.unread,
    )
