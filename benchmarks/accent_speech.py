"""Speech whose accent is known: espeak-ng told what to say sound by sound, and a real speaker with texts that say too much.

Synthetic: each ⟨ll, y⟩ and each /s/ of a sentence is drawn anew (as [ʝ], [ʒ] or [ʃ]; kept, aspirated or lost), in voices, pitches and
speeds that the alignment's own voice has not, with noise, at several levels, through Opus at 16 kb/s. Real: 25 minutes of a woman
from Mexico, who keeps her /s/ and says [ʝ] (benchmarks/real_speech.py). To see whether a lost /s/ is found in real speech, words
without one get one in the text: it is not in the sound.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import real_speech
from pocket.corpus import acoustics, everyday_sentences, opus, speech
from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import espeak
from voz.metrics.accent import alignment
from voz.metrics.accent.alignment import Sound
from voz.text import normalize

VARIANTS = tuple("m2 m4 m6 m8 f3 Annie Gene Henrique Hugo Jacky Marco Michael max michel miguel robert sandro david ed antonio".split())
RATE_WPM, PITCH, GAPS = (120, 200), (20, 80), (0, 0, 1, 2)
NOISE_DB, LEVEL_DB = (20.0, 35.0), (-20.0, 0.0)
BITRATE_BPS = 16_000
KEPT, ASPIRATED, LOST = "s", "h", ""  # as espeak-ng's phonemes
YE, ZHE, SHE = "ʝ", "ʒ", "ʃ"
PHONEME_OF = {ZHE: "Z", SHE: "S"}  # [ʝ] keeps the phoneme that it has
VOWELS = "aeiouEO"
_CLAUSE = re.compile(r"([^.,;:!?…]+)([.,;:!?…]*\s*)")
_REAL_S = (2.5, 11.0)  # length of the prompts that are taken
_TAKES_S = re.compile(r"[a-záéíóúñ]+[aeo]")  # a word that gets a false /s/
_BEFORE_VOWEL_OR_LIKE_S = re.compile(r"[aeiouáéíóúhsxzjgycl]")
_FALSE_SHARE = 0.6  # of the words that can take one


@dataclass(frozen=True)
class Rendition:
    """A text and its recording, float32 at 22 050 Hz [T], and what it says of each sound, in the order of the text."""

    text: str
    pcm: np.ndarray
    ye: list[str] = field(default_factory=list)
    coda: list[str] = field(default_factory=list)
    final: list[str] = field(default_factory=list)


def sentences(count: int, seed: int) -> list[str]:
    """Everyday sentences of Rioplatense Spanish."""
    drawn = everyday_sentences.generate(seed, length="medium", forbidden=set())
    return [next(drawn) for _ in range(count)]


def renditions(count: int, seed: int) -> Iterator[Rendition]:
    """Sentences whose ⟨ll, y⟩ and /s/ are drawn."""
    rng = random.Random(seed)
    for number, text in enumerate(sentences(count, seed)):
        found = Rendition(text, np.zeros(0))

        def change(phonemes: str, found: Rendition = found) -> str:
            return _draw_ye(_draw_s(phonemes, found, rng), found, rng)

        yield Rendition(text, through_phone(by_phonemes(text, change), voice(number, rng), rng), found.ye, found.coda, found.final)


def by_phonemes(text: str, change: Callable[[str], str]) -> str:
    """A text with the words of each clause as phonemes, changed. The punctuation stays as text and keeps the melody."""
    clauses = _CLAUSE.findall(text.replace("¿", "").replace("¡", ""))
    return "".join(f"[[{change(' '.join(line.strip() for line in speech.phonemes(words)))}]]{end}" for words, end in clauses)


def voice(number: int, rng: random.Random) -> espeak.Speaker:
    """A voice of VARIANTS with a drawn pitch and speed."""
    name = f"{espeak.LANGUAGE}+{VARIANTS[number % len(VARIANTS)]}"
    return espeak.Speaker(name, rng.randint(*RATE_WPM), rng.randint(*PITCH), rng.choice(GAPS))


def through_phone(spoken: str, speaker: espeak.Speaker, rng: random.Random) -> np.ndarray:
    """Speak, then as `coded`."""
    pcm, rate_hz, _ = espeak.synthesize(spoken, speaker, espeak.PHONEME)
    return coded(pcm, rate_hz, rng)


def coded(pcm: np.ndarray, rate_hz: int, rng: random.Random) -> np.ndarray:
    """Add noise, set a level, code as a phone does, decode. [T] -> float32 at 22 050 Hz [T']"""
    narrow = wav.resample(pcm, rate_hz, opus.SAMPLE_RATE_HZ) * 10 ** (rng.uniform(*LEVEL_DB) / 20)
    noisy = acoustics.with_noise(narrow, np.random.default_rng(rng.getrandbits(32)), snr_db=rng.uniform(*NOISE_DB))
    return wav.resample(opus.roundtrip(noisy, bitrate_bps=BITRATE_BPS), opus.SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)


def _draw_ye(phonemes: str, found: Rendition, rng: random.Random) -> str:
    def draw(match: re.Match[str]) -> str:
        sound = rng.choice((YE, ZHE, SHE))
        found.ye.append(sound)
        return PHONEME_OF.get(sound, match.group())

    return re.sub(r"J\^|jj|dZ", draw, phonemes)


def _draw_s(phonemes: str, found: Rendition, rng: random.Random) -> str:
    def draw(match: re.Match[str]) -> str:
        after = match.string[match.end() :].lstrip(" ',")
        if after and (after[0] in VOWELS + "jw;sSZJx" or after.startswith(("tS", "dZ"))):
            return KEPT
        sound = rng.choices((KEPT, ASPIRATED, LOST), (0.5, 0.3, 0.2))[0]
        (found.coda if after else found.final).append(sound)
        return sound

    return re.sub("s", draw, phonemes)


@dataclass(frozen=True)
class Timed:
    """A rendition of a text and its own sounds, as espeak-ng reports them. pcm: float32 at 22 050 Hz [T]"""

    pcm: np.ndarray
    sounds: list[Sound]


def rhythm_pairs(count: int, seed: int) -> Iterator[tuple[str, list[Timed]]]:
    """Sentences, each in two voices whose stressed, unstressed and last vowels are lengthened more or less often."""
    rng = random.Random(seed)
    for text in sentences(count, seed):
        yield text, [_timed(text, rng) for _ in range(2)]


def _timed(text: str, rng: random.Random) -> Timed:
    stressed, others, last = rng.choice((0.0, 0.5, 1.0)), rng.choice((0.0, 0.3, 0.8)), rng.choice((0.0, 1.0))

    def change(phonemes: str) -> str:
        final = max((match.start() for match in re.finditer("[aeiou]", phonemes)), default=-1)

        def draw(match: re.Match[str]) -> str:
            share = last if match.start(2) == final else stressed if match[1] else others
            return match.group() + (rng.choice((":", "::")) if rng.random() < share else "")

        return re.sub("('[^aeiou ]*)?([aeiou])", draw, phonemes)

    spoken, speaker = by_phonemes(text, change), voice(rng.randrange(len(VARIANTS)), rng)
    pcm, rate_hz, marks = espeak.synthesize(spoken, speaker, espeak.PHONEME)
    edges_s = [mark.sample / rate_hz for mark in marks] + [len(pcm) / rate_hz]
    sounds = [Sound(mark.name, start, end, 0) for mark, start, end in zip(marks, edges_s, edges_s[1:], strict=False)]
    return Timed(through_phone(spoken, speaker, rng), sounds)


@dataclass(frozen=True)
class RealLine:
    """A prompt of the real speaker: what she says, and a text in which some words end in an /s/ that she does not say.

    pcm: float32 at 22 050 Hz. [T]
    false_words: the places of those words.
    """

    said: str
    text: str
    pcm: np.ndarray
    false_words: set[int]

    def says(self, sound: Sound, sounds: Sequence[Sound]) -> str:
        """What she says for an /s/ of the text, one of `sounds`: nothing if it is the end of a false word."""
        last = [each for each in sounds if each.word == sound.word and not alignment.is_pause(each)][-1]
        return LOST if sound.word in self.false_words and sound is last else KEPT


def real_lines(folder: Path, seed: int) -> Iterator[RealLine]:
    """The prompts that are sentences; fetched into `folder` if need be."""
    rng, notes = random.Random(seed), {}
    for prompt in real_speech.fetch_notes(folder):
        words = normalize.normalize(prompt.text).split()
        if not _REAL_S[0] < prompt.end_s - prompt.start_s < _REAL_S[1] or len(words) < 4:
            continue
        if prompt.note not in notes:
            notes = {prompt.note: opus.decode((folder / "notes" / prompt.note).read_bytes())}
        start, end = (int(edge_s * opus.SAMPLE_RATE_HZ) for edge_s in (max(0.0, prompt.start_s - 0.1), prompt.end_s + 0.1))
        pcm = wav.resample(notes[prompt.note][start:end], opus.SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
        false = {at for at, word in enumerate(words) if _can_end_in_s(word, words[at + 1 : at + 2]) and rng.random() < _FALSE_SHARE}
        yield RealLine(" ".join(words), " ".join(_with_s(word) if at in false else word for at, word in enumerate(words)), pcm, false)


def _can_end_in_s(word: str, following: list[str]) -> bool:
    bare = word.rstrip(".,;:?!")
    if not _TAKES_S.fullmatch(bare.lower()):
        return False
    return bare != word or not following or not _BEFORE_VOWEL_OR_LIKE_S.match(following[0].lower())


def _with_s(word: str) -> str:
    bare = word.rstrip(".,;:?!")
    return f"{bare}s{word[len(bare) :]}"
