"""The speakers of the corpus and of the demo: espeak-ng's es-419 with a variant, a pitch, a rate and a word gap.

The demo speaker's variant and the other speaker's are in no voice of the corpus, and the test variants in none of train.
"""

import random
from dataclasses import dataclass, replace

from pocket.corpus import variants

YE, SHE = "ye", "she"  # ⟨ll, y⟩ as [ʝ] and as [ʃ]


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One speaker. `pitch` 0-99 (espeak's -p), `rate_wpm` words per minute (-s), `gap` between words in 10 ms (-g).

    by_phonemes: clauses with ⟨ll, y⟩ go to espeak-ng as phonemes, as they must for [ʃ]: it speaks those a few percent slower, and
    speed must not tell the accents apart.
    """

    variant: str
    pitch: int
    rate_wpm: int
    gap: int
    accent: str
    by_phonemes: bool = False

    @property
    def name(self) -> str:
        return f"{self.variant}-p{self.pitch}-s{self.rate_wpm}-g{self.gap}-{self.accent}" + "-ph" * self.by_phonemes


DEMO_SPEAKER = Voice(variant="pablo", pitch=38, rate_wpm=158, gap=1, accent=SHE)
OTHER_SPEAKER = Voice(variant="linda", pitch=55, rate_wpm=165, gap=1, accent=SHE)

GPT_VARIANTS = tuple("f2 f3 f5 m3 m4 m6 Alex Andy Mario Michael max Gene Denis pedro antonio steph Hugo miguel Andrea robert".split())
ASR_VARIANTS = tuple(
    "Alex Alicia Andrea Andy Annie antonio aunty benjamin david Denis Diogo ed edward2 Gene gustave Henrique Hugo iven iven2 Jacky john Marco Mario "
    "max Michael michel miguel Nguyen pedro robert sandro steph grandma grandpa shelby norbert klatt klatt2 klatt3 klatt4 klatt6 anika "
    "f2 f3 f5 m3 m4 m5 m6 m8".split()
)
CROWD_FROM = 300  # drawn variants from here on were added later, without changing the utterances of the first
DEV_VARIANTS = ("m2", "f4", "Gene2", "steph2")
TEST_VARIANTS = ("m7", "m1", "f1", "Mike", "paul", "belinda", "quincy", "victor")


def gpt_voices(seed: int) -> list[Voice]:
    """20 clean voices, all [ʝ]: sheísmo is what fine-tuning has to bring."""
    return [_drawn(seed, "gpt", variant, YE) for variant in GPT_VARIANTS]


def asr_voices(seed: int, split: str) -> list[Voice]:
    """Both accents of every variant of the split, each accent with a pitch and a rate of its own."""
    variants = {"train": ASR_VARIANTS, "dev": DEV_VARIANTS, "test": TEST_VARIANTS}[split]
    return [_drawn(seed, "asr", variant, accent) for variant in variants for accent in (YE, SHE)]


def varied_voices(seed: int, accent: str) -> list[Voice]:
    """300 voices of drawn variants (pocket/corpus/variants.py), each of one accent."""
    return [_drawn(seed, "varied", variants.name(n), accent) for n in range(CROWD_FROM) if (n % 5 < 3) == (accent == YE)]


def crowd_voices(seed: int) -> list[Voice]:
    """The other 900 drawn variants, four of five [ʝ], by phonemes in either accent."""
    drawn = [_drawn(seed, "crowd", variants.name(n), YE if n % 5 else SHE) for n in range(CROWD_FROM, variants.COUNT)]
    return [replace(voice, by_phonemes=True) for voice in drawn]


def _drawn(seed: int, role: str, variant: str, accent: str) -> Voice:
    rng = random.Random(f"{seed}-{role}-{variant}-{accent}")
    return Voice(variant=variant, pitch=rng.randint(32, 66), rate_wpm=rng.randint(140, 185), gap=rng.choice((0, 0, 1, 2)), accent=accent)
