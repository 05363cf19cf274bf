"""Spanish speech of espeak-ng with the time of each phoneme. From its library: its program does not report times.

Only the accent measure needs espeak-ng (Debian package `espeak-ng`); without it the accent is not measured.
"""

import ctypes
import ctypes.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from voz.pipeline import sandbox
from voz.pipeline.command import UserError

LANGUAGE = "es-419"  # `es` has [θ], and another phoneme for ⟨ll⟩
WORD, PHONEME = 1, 7  # espeak_EVENT_TYPE (speak_lib.h)
_SYNCHRONOUS, _PHONEME_EVENTS, _DONT_EXIT = 2, 1, 0x8000  # espeak_AUDIO_OUTPUT and options of espeak_Initialize (speak_lib.h)
_UTF8, _BRACKETS_ARE_PHONEMES, _END = 1, 0x100, 0  # flags of espeak_Synth, espeak_EVENT_TYPE
_STRESS, _NOT_PHONEMES = "'", " ',_|:!"  # what stands before a stressed vowel; what stands between phonemes
_RATE, _PITCH, _RANGE, _GAP = 1, 3, 4, 7  # espeak_PARAMETER
LIMIT_S = 60.0  # of a call; a sentence takes milliseconds


@dataclass(frozen=True)
class Phone:
    """A phoneme, by espeak-ng's mnemonic, its time in the speech, and the word it belongs to: an index into `Speech.words`.

    stressed: True for the vowel of a stressed syllable.
    """

    name: str
    start_s: float
    end_s: float
    word: int
    stressed: bool


@dataclass(frozen=True)
class Speech:
    """A spoken text, its phonemes in order and its words as written. pcm: float32 in [-1, 1] at `rate_hz`. [T]

    word_ends: how many characters of the text each word and what is before it are.
    """

    pcm: np.ndarray
    rate_hz: int
    phones: list[Phone]
    words: list[str]
    word_ends: list[int]


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h; `id` is a union whose largest member is char[8]."""

    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int), ("sample", ctypes.c_int), ("user_data", ctypes.c_void_p), ("id", ctypes.c_char * 8),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Speaker:
    """A voice of espeak-ng: its name, perhaps with `+variant`, words per minute, pitch 0-99, gap between words in 10 ms.

    pitch_range: 0-99.
    """

    name: str = LANGUAGE
    rate_wpm: int = 160
    pitch: int = 50
    gap: int = 0
    pitch_range: int = 50  # espeak-ng's own; 0: all on one note


@dataclass(frozen=True)
class Mark:
    """An event: a phoneme's name, or the word's first character (from 1) and number of characters; and its first sample.

    kind: WORD or PHONEME.
    stressed: it is the vowel of a stressed syllable.
    """

    kind: int
    name: str
    position: int
    length: int
    sample: int
    stressed: bool = False


def say(text: str, speaker: Speaker | None = None) -> Speech:
    """Speak a text, with espeak-ng's plain Latin American voice if none is given. What stands in double brackets is read as phonemes.

    Raises:
        UserError: espeak-ng is not installed, or has no such voice.
    """
    pcm, rate_hz, marks = synthesize(text, speaker or Speaker(), WORD, PHONEME)
    words: list[Mark] = []
    sounds: list[tuple[Mark, int]] = []
    for mark in marks:
        if mark.kind == PHONEME:
            sounds.append((mark, max(0, len(words) - 1)))
        elif mark.length:  # a clause's end has length 0
            words.append(mark)
    ends = [mark.sample for mark, _ in sounds[1:]] + [len(pcm)]
    phones = [
        Phone(mark.name, mark.sample / rate_hz, end / rate_hz, word, mark.stressed) for (mark, word), end in zip(sounds, ends, strict=True)
    ]
    word_ends = [word.position - 1 + word.length for word in words]
    as_written = [text[end - word.length : end] for word, end in zip(words, word_ends, strict=True)]
    return Speech(pcm, rate_hz, phones, as_written, word_ends)


def synthesize(text: str, speaker: Speaker, *kinds: int) -> tuple[np.ndarray, int, list[Mark]]:
    """Samples, float32 in [-1, 1] [T], their rate in Hz, and the events of `kinds` (WORD, PHONEME) in order.

    Each call has a process of its own: the library keeps the phase of its oscillators from one text to the next, so a text would
    sound a little different after another one.

    Raises:
        UserError: espeak-ng is not installed, or has no such voice.
    """
    spoken: tuple[np.ndarray, int, list[Mark]] = _call(_synthesize, text, speaker, kinds)
    return spoken


def version() -> str:
    """Version of the library; an empty text without it."""
    found: str = _call(_version) if available() else ""
    return found


def _call(function: Callable[..., Any], *args: Any) -> Any:
    """`function(library's name, *args)` in a process that has not loaded the library yet."""
    name = _library_name()
    if name is None:
        raise UserError("espeak-ng is not installed: accent cannot be measured", "apt-get install espeak-ng")
    return sandbox.call(function, name, *args, limit_s=LIMIT_S, calls=1)


def _version(name: str) -> str:
    info = ctypes.CDLL(name).espeak_Info
    info.restype = ctypes.c_char_p
    answer: bytes = info(None)
    return answer.decode()


def _synthesize(name: str, text: str, speaker: Speaker, kinds: Sequence[int]) -> tuple[np.ndarray, int, list[Mark]]:
    """`synthesize`, in the process that it starts."""
    library, rate_hz = _start(name, speaker)
    pieces: list[np.ndarray] = []
    marks: list[Mark] = []

    def take(samples: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]") -> int:
        if samples and count:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        at = 0
        while events[at].type != _END:
            event = events[at]
            if event.type in kinds:
                name = event.id.decode("utf-8", "replace") if event.type == PHONEME else ""
                marks.append(Mark(event.type, name, event.text_position, event.length, event.sample))
            at += 1
        return 0

    callback = _Callback(take)  # this name keeps it alive while the library calls it
    library.espeak_SetSynthCallback(callback)
    data = text.encode()
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8 | _BRACKETS_ARE_PHONEMES, None, None)
    marks = _with_stress(marks, _mnemonics(library, data))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32), rate_hz, marks


def _mnemonics(library: ctypes.CDLL, text: bytes) -> str:
    """The phonemes of a text with the signs of stress, which the events lack. Called after the synthesis, whose options it goes by."""
    clause = library.espeak_TextToPhonemes
    clause.restype = ctypes.c_char_p
    buffer = ctypes.create_string_buffer(text)
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    found = []
    while rest.value:  # one clause each; NULL after the last one
        found.append(clause(ctypes.byref(rest), _UTF8, 0).decode())
    return "".join(found)


def _with_stress(marks: Sequence[Mark], mnemonics: str) -> list[Mark]:
    """The events, with the stress of the phonemes. A phoneme that the mnemonics lack is unstressed."""
    found, at = [], 0
    for mark in marks:
        first = at + len(mnemonics[at:]) - len(mnemonics[at:].lstrip(_NOT_PHONEMES))
        place = mnemonics.find(mark.name, at, first + len(mark.name)) if mark.kind == PHONEME else -1
        stressed = place >= 0 and _STRESS in mnemonics[at:place]
        at = place + len(mark.name) if place >= 0 else at
        found.append(replace(mark, stressed=stressed))
    return found


def _start(name: str, speaker: Speaker) -> tuple[ctypes.CDLL, int]:
    """The library, set to a voice, and its sample rate in Hz."""
    library = ctypes.CDLL(name)
    ctypes.CDLL(None).srand(1)  # its noise; C's own start, which this process may have from another one in a later state
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _DONT_EXIT)
    if rate_hz <= 0:
        raise UserError("espeak-ng does not start: accent cannot be measured", "apt-get install --reinstall espeak-ng espeak-ng-data")
    if library.espeak_SetVoiceByName(speaker.name.encode()) != 0:
        raise UserError(
            "espeak-ng has no voice {name}: accent cannot be measured",
            "apt-get install --reinstall espeak-ng espeak-ng-data",
            name=speaker.name,
        )
    for parameter, value in ((_RATE, speaker.rate_wpm), (_PITCH, speaker.pitch), (_RANGE, speaker.pitch_range), (_GAP, speaker.gap)):
        library.espeak_SetParameter(parameter, value, 0)
    return library, int(rate_hz)


def available() -> bool:
    """True if espeak-ng's library is installed."""
    return _library_name() is not None


@cache
def _library_name() -> str | None:
    """Cached, because the search starts a process."""
    return ctypes.util.find_library("espeak-ng")
