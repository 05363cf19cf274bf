"""The filters of curate and every reason for which it rejects a clip: one table for the stage, the pages and the docs.

Imports nothing but the standard library: the review page reads it in an environment without numpy or torch. The sentences are
translated where they are shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from voz.pipeline.language import later

MIN_WORDS = 3
MAX_REPETITION = 2.4  # whisper's own compression_ratio_threshold; long texts of real speech reach 1.5
MAX_CHARS = 239  # coqui's VoiceBpeTokenizer.char_limits["es"]; tests/test_filters.py compares


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Rejects a clip whose score is beyond a limit. A person's correction overrules it.

    code: the reason in the ledger.
    score: name of the score that is compared (stages/curate.py computes it).
    direction: "min" rejects a score below the limit, "max" one above it.
    why: what is wrong with a rejected clip, one sentence.
    knob: key of section `curate` of params.yaml that holds the limit, or
    fixed: the limit itself.
    """

    code: str
    score: str
    direction: Literal["min", "max"]
    why: str
    knob: str = ""
    fixed: float | None = None

    def limit(self, knobs: Mapping[str, float]) -> float:
        """The limit, given section `curate` of params.yaml."""
        return knobs[self.knob] if self.fixed is None else self.fixed

    def rejects(self, value: float, limit: float) -> bool:
        """Whether a score is beyond the limit. A score at the limit passes."""
        return value < limit if self.direction == "min" else value > limit

    @property
    def rule(self) -> str:
        """When it rejects, as a person reads it: `snr_db < min_snr_db`."""
        return f"{self.score} {'<' if self.direction == 'min' else '>'} {self.knob if self.fixed is None else self.fixed}"


# In the order of the outputs: a clip's first code is its reason, the ledger's detail names the others.
FILTERS = (
    Filter(
        code="hallucination",
        score="hallucination",
        knob="max_hallucination",
        direction="max",
        why="The text holds a sentence that nobody says in a voice note, or it is a phrase that Whisper often invents, "
        "its length does not fit the speech, and Whisper was unsure.",
    ),
    Filter(
        code="loop",
        score="repetition",
        fixed=MAX_REPETITION,
        direction="max",
        why="The text says the same again and again, as Whisper does when it is stuck.",
    ),
    Filter(
        code="wrong_language",
        score="other_language_prob",
        knob="max_other_language_prob",
        direction="max",
        why="Whisper recognised a language other than Spanish.",
    ),
    Filter(
        code="prompt_leak",
        score="prompt_leak",
        knob="max_prompt_leak",
        direction="max",
        why="The text repeats the prompt of params.yaml, as Whisper does where the speech is unclear.",
    ),
    Filter(
        code="low_confidence",
        score="avg_logprob",
        knob="min_avg_logprob",
        direction="min",
        why="Whisper was unsure of the text.",
    ),
    Filter(
        code="too_slow",
        score="chars_per_s",
        knob="min_chars_per_s",
        direction="min",
        why="The text is short for so many seconds of speech: words are probably missing.",
    ),
    Filter(
        code="incomplete",
        score="missing_share",
        knob="max_missing_share",
        direction="max",
        why="The text is much shorter for its seconds of speech than the speaker's other texts: part of the speech is missing.",
    ),
    Filter(
        code="too_fast",
        score="chars_per_s",
        knob="max_chars_per_s",
        direction="max",
        why="The text is long for so few seconds of speech: it probably holds words that nobody said.",
    ),
    Filter(
        code="too_few_words",
        score="words",
        fixed=MIN_WORDS,
        direction="min",
        why="A voice that is trained on texts of one or two words babbles (coqui-ai/TTS #3516).",
    ),
    Filter(
        code="text_too_long",
        score="chars",
        fixed=MAX_CHARS,
        direction="max",
        why="The text is so long that coqui-tts warns of truncated audio.",
    ),
    Filter(
        code="near_duplicate",
        score="duplicate",
        knob="max_duplicate",
        direction="max",
        why="An earlier clip has nearly the same words and the same sound.",
    ),
    Filter(
        code="low_snr",
        score="snr_db",
        knob="min_snr_db",
        direction="min",
        why="The speech is not loud enough above the background noise.",
    ),
    Filter(
        code="clipping",
        score="clipping",
        knob="max_clipping",
        direction="max",
        why="The recording is distorted: the peaks of the sound are cut off.",
    ),
    Filter(
        code="music",
        score="music",
        knob="max_music",
        direction="max",
        why="There is music or a hum in the background.",
    ),
    # Last, because damage to the sound also lowers the similarity to the speaker.
    Filter(
        code="other_speaker",
        score="speaker_deviations",
        knob="max_speaker_deviations",
        direction="max",
        why="The voice does not resemble that of the other clips.",
    ),
)

BY_CODE = {each.code: each for each in FILTERS}

# What XTTS's trainer cannot take (voz/audio/limits.py), whoever accepts the clip.
TRAINER_LIMITS = {
    "no_text": later("The clip has no words."),
    "unknown_characters": later("The text holds characters that cannot be read: write them in words."),
    "too_many_tokens": later("The text has more tokens than the trainer takes."),
    "audio_too_short": later("The clip is shorter than the trainer takes."),
    "audio_too_long": later("The clip is longer than the trainer takes."),
}

REJECTED_BY_PERSON = "rejected_by_person"

# Every reason of curate with its sentence, in the order of the outputs.
WHY = TRAINER_LIMITS | {REJECTED_BY_PERSON: later("A person rejected the clip.")} | {each.code: each.why for each in FILTERS}
