"""The phonemes of a Spanish spelling, one character each: what must be recognisable from the DVAE's codes.

Seseo throughout; ⟨ll, y⟩ is a phoneme of its own in either accent, [ʝ] or [ʃ]. Stress is left out: it changes no phoneme.
"""

import re
import unicodedata

from pocket.corpus.voices import SHE
from voz.text import normalize

SH = "S"  # ⟨ll, y⟩ spoken as [ʃ]; as [ʝ] it is Y
PHONEMES = "abdefgiklmnoprstuCJNRSY"  # C ch, J the j of *jota*, N ñ, R rr
_RULES = [
    (re.compile(pattern), phoneme)
    for pattern, phoneme in (
        ("ch", "C"), ("ll|y(?=[aeiou])", "Y"), ("y", "i"), ("rr|(?<![a-z])r|(?<=[nls])r", "R"), ("qu(?=[ei])|q", "k"), ("gu(?=[ei])", "G"),
        ("g(?=[ei])|j", "J"), ("G", "g"), ("ü", "u"), ("w", "gu"), ("c(?=[ei])|z", "s"), ("c", "k"), ("v", "b"), ("ñ", "N"), ("x", "ks"),
        (rf"[^{PHONEMES}]", ""),
    )
]  # fmt: skip


def phonemes(sentence: str, accent: str) -> str:
    """The phonemes of a sentence, without pauses, in an accent of pocket/corpus/voices.py."""
    spoken = "".join(c if c in "ñü" else unicodedata.normalize("NFD", c)[0] for c in normalize.spoken(sentence))
    for pattern, phoneme in _RULES:
        spoken = pattern.sub(phoneme, spoken)
    return spoken.replace("Y", SH) if accent == SHE else spoken
