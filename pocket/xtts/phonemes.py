"""Spanish spelling as sounds, one character each: what the DVAE's codes have to tell apart.

Seseo throughout; ⟨ll, y⟩ is a sound of its own in either accent, [ʝ] or [ʃ]. Stress is left out: it does not change the sounds.
"""

import re
import unicodedata

from voz.text import normalize

SHE = "S"  # ⟨ll, y⟩ spoken as [ʃ]; as [ʝ] it is Y
PHONEMES = "abdefgiklmnoprstuCJNRSY"  # C ch, J the j of *jota*, N ñ, R rr
_RULES = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        ("ch", "C"), ("ll|y(?=[aeiou])", "Y"), ("y", "i"), ("rr|(?<![a-z])r|(?<=[nls])r", "R"), ("qu(?=[ei])|q", "k"), ("gu(?=[ei])", "G"),
        ("g(?=[ei])|j", "J"), ("G", "g"), ("ü", "u"), ("w", "gu"), ("c(?=[ei])|z", "s"), ("c", "k"), ("v", "b"), ("ñ", "N"), ("x", "ks"),
        (rf"[^{PHONEMES}]", ""),
    )
]  # fmt: skip


def phonemes(sentence: str, accent: str) -> str:
    """The sounds of a sentence, without pauses; `accent` is "ye" or "she" as in pocket/corpus/voices.py."""
    said = "".join(c if c in "ñü" else unicodedata.normalize("NFD", c)[0] for c in normalize.spoken(sentence))
    for pattern, sound in _RULES:
        said = pattern.sub(sound, said)
    return said.replace("Y", SHE) if accent == "she" else said
