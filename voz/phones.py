"""What espeak-ng says of a Spanish text, and when it says which phoneme. Through its library, which knows the times; its program does not.

espeak-ng (Debian package `espeak-ng`) is needed by nothing else of the pipeline: without it accent is not measured.
"""

import ctypes
import ctypes.util
from dataclasses import dataclass
from functools import cache

import numpy as np

from voz.command import UserError

LANGUAGE = b"es-419"  # `es` has [θ], and another phoneme for ⟨ll⟩
RATE_WPM = 160
_SYNCHRONOUS, _PHONEME_EVENTS, _DONT_EXIT = 2, 1, 0x8000  # espeak_AUDIO_OUTPUT and options of espeak_Initialize (speak_lib.h)
_UTF8, _BRACKETS_ARE_PHONEMES, _RATE, _END, _PHONEME = 1, 0x100, 1, 0, 7  # flags, espeak_PARAMETER, espeak_EVENT_TYPE


@dataclass(frozen=True)
class Phone:
    """A phoneme by espeak-ng's mnemonic, and when it is heard."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Utterance:
    """float32 in [-1, 1] at `rate_hz`, [T], and its phonemes in order."""

    pcm: np.ndarray
    rate_hz: int
    phones: list[Phone]


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h; `id` is a union whose largest member is char[8]."""

    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int), ("sample", ctypes.c_int), ("user_data", ctypes.c_void_p), ("id", ctypes.c_char * 8),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def say(text: str) -> Utterance:
    """Let espeak-ng's plain Latin American voice say `text`; phonemes in double brackets are taken as such.

    Raises:
        UserError: espeak-ng is not installed.
    """
    library, rate_hz = _library()
    pieces: list[np.ndarray] = []
    marks: list[tuple[str, int]] = []

    def take(samples: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]") -> int:
        if samples and count:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        at = 0
        while events[at].type != _END:
            if events[at].type == _PHONEME:
                marks.append((events[at].id.decode("utf-8", "replace"), events[at].sample))
            at += 1
        return 0

    callback = _Callback(take)
    library.espeak_SetSynthCallback(callback)
    data = text.encode()
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8 | _BRACKETS_ARE_PHONEMES, None, None)
    pcm = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    ends = [sample for _, sample in marks[1:]] + [len(pcm)]
    return Utterance(pcm, rate_hz, [Phone(name, start / rate_hz, end / rate_hz) for (name, start), end in zip(marks, ends, strict=True)])


def available() -> bool:
    """True if espeak-ng's library is here."""
    return ctypes.util.find_library("espeak-ng") is not None


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    """The library, made ready once per process, and its sample rate in Hz."""
    name = ctypes.util.find_library("espeak-ng")
    if name is None:  # as `available` says
        raise UserError("espeak-ng is not installed: accent cannot be measured", "apt-get install espeak-ng")
    library = ctypes.CDLL(name)
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _DONT_EXIT)
    if rate_hz <= 0 or library.espeak_SetVoiceByName(LANGUAGE) != 0:
        raise UserError("espeak-ng has no voice es-419: accent cannot be measured", "apt-get install --reinstall espeak-ng espeak-ng-data")
    library.espeak_SetParameter(_RATE, RATE_WPM, 0)
    return library, rate_hz
