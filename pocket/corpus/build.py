"""Synthetic Spanish speech for the pocket models: espeak-ng es-419, many voices, ⟨ll, y⟩ as [ʝ] and as [ʃ].

    python -m pocket.corpus.build pocket/build/corpus --words /usr/share/dict/spanish

Reads   the word list of the Debian package `wspanish`
Writes  pocket/build/corpus/manifest.jsonl + wav/<id>.wav      mono PCM16, 22 050 Hz; files already there are kept

Roles: "gpt" is clean, [ʝ] only, rich in short utterances; "asr" has both accents and unseen voices in dev and test; "varied"
has 1 200 voices drawn at random (pocket/corpus/variants.py), for the XTTS alone.
The "test" lines of role "gpt" are those that the models speak in pocket/evaluate_voices.py: three or more ⟨ll, y⟩ each.
"""

import argparse
import hashlib
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import joblib
import numpy as np
import soundfile as sf
from tqdm import tqdm

from pocket.corpus import everyday_sentences, sentences, speech, variants, voices
from pocket.corpus.demo_texts import demo_sentences
from pocket.corpus.manifest import Recording, write_manifest
from voz.model import checkpoint
from voz.pipeline import command

SEED = 20_260_314
COUNTS = [  # (beginning of the ids, role, split, grammar, sentences per length class); add lines at the end: seeds count on
    ("gpt-train-", "gpt", "train", "spelling", {"short": 3000, "medium": 1400, "long": 350}),
    ("gpt-dev-", "gpt", "dev", "spelling", {"short": 30, "medium": 30, "long": 0}),
    ("gpt-test-", "gpt", "test", "spelling", {"short": 0, "medium": 60, "long": 0}),
    ("asr-train-", "asr", "train", "spelling", {"short": 4500, "medium": 4500, "long": 1300}),
    ("asr-dev-", "asr", "dev", "spelling", {"short": 50, "medium": 50, "long": 20}),
    ("asr-test-", "asr", "test", "spelling", {"short": 60, "medium": 100, "long": 40}),
    ("asr-train-e", "asr", "train", "everyday", {"short": 2500, "medium": 3500, "long": 1500}),
    ("gpt-train-e", "gpt", "train", "everyday", {"short": 900, "medium": 500, "long": 100}),
    ("asr-unseen-e", "asr", "test", "everyday", {"short": 12, "medium": 20, "long": 0}),
    ("varied-ye-s", "varied", "train", "spelling", {"short": 1800, "medium": 1200, "long": 300}),
    ("varied-ye-e", "varied", "train", "everyday", {"short": 1800, "medium": 1800, "long": 500}),
    ("varied-she-s", "varied", "train", "spelling", {"short": 900, "medium": 700, "long": 150}),
    ("varied-she-e", "varied", "train", "everyday", {"short": 1000, "medium": 1000, "long": 250}),
    ("varied-crowd-s", "varied", "train", "spelling", {"short": 1500, "medium": 2000, "long": 400}),
    ("varied-crowd-e", "varied", "train", "everyday", {"short": 1800, "medium": 2700, "long": 600}),
    ("gpt-test-m", "gpt", "test", "spelling", {"short": 0, "medium": 180, "long": 0}),
]
ESPEAK = "espeak"  # in the corpus folder: copies of espeak-ng's data with the drawn variants
MIN_WINDOWS_TEST = 3  # ⟨ll, y⟩ in each line spoken in the evaluation
MAX_S = 11.0  # the trainer takes 11.6 s


def plan(words: list[str]) -> list[tuple[str, str, str, str, voices.Voice]]:
    """(id, role, split, text, voice) of every utterance; all texts distinct, none of them the demo's."""
    seen = {sentences.fold(text) for text in demo_sentences()}
    jobs = []
    for group, role, split, grammar, counts in COUNTS:
        speakers = _speakers(group, role, split)
        texts: list[str] = []
        for length, count in counts.items():
            stream = _stream(grammar, SEED + len(jobs), words, length, seen)
            if (role, split) == ("gpt", "test"):
                stream = (text for text in stream if sentences.count_windows(text) >= MIN_WINDOWS_TEST)
            texts += islice(stream, count)
        random.Random(f"{SEED}-{role}-{split}").shuffle(texts)
        for n, text in enumerate(texts):
            voice = speakers[n % len(speakers)]
            jobs.append((_name(group, n, text, voice), role, split, text, voice))
    return jobs


def _speakers(group: str, role: str, split: str) -> list[voices.Voice]:
    if "-crowd-" in group:
        return voices.crowd_voices(SEED)
    if role == "varied":
        return voices.varied_voices(SEED, voices.SHE if "-she-" in group else voices.YE)
    return voices.gpt_voices(SEED) if role == "gpt" else voices.asr_voices(SEED, split)


def _stream(grammar: str, seed: int, words: list[str], length: str, seen: set[str]) -> Iterator[str]:
    if grammar == "everyday":
        return everyday_sentences.generate(seed, length=length, forbidden=seen)
    return sentences.generate(seed, words, length=length, forbidden=seen)


def _name(group: str, n: int, text: str, voice: voices.Voice) -> str:
    """Ends in a hash of what is said and by whom, so that a file of an older plan is never used for a new one."""
    return f"{group}{n:05d}-{hashlib.sha256(f'{text}|{voice.name}'.encode()).hexdigest()[:6]}"


def record(folder: Path, name: str, role: str, split: str, text: str, voice: voices.Voice) -> Recording | None:
    """Speak one line into its file, unless it is there. None where it is longer than a clip may be."""
    path = folder / "wav" / f"{name}.wav"
    if not path.exists():
        pcm = speech.speak(text, voice, data=folder / ESPEAK / variants.folder_of(voice.variant) if role == "varied" else None)
        draft = path.with_suffix(f".{os.getpid()}.part")
        sf.write(draft, np.round(pcm * 32767).astype(np.int16), speech.SAMPLE_RATE_HZ, subtype="PCM_16", format="WAV")
        os.replace(draft, path)
    duration_s = sf.info(path).duration
    if duration_s > MAX_S:
        return None
    return Recording(
        id=name,
        path=f"wav/{name}.wav",
        text=text,
        voice=voice.name,
        accent=voice.accent,
        role=role,
        split=split,
        duration_s=round(duration_s, 3),
    )


def main() -> None:
    args = parse_args()
    (args.corpus / "wav").mkdir(parents=True, exist_ok=True)
    variants.write(args.corpus / ESPEAK)
    jobs = plan(sentences.dictionary(args.words))
    if args.only:
        wanted = checkpoint.read(args.only)["voices"]
        jobs = [job for job in jobs if job[0] in wanted]
    pool = joblib.Parallel(n_jobs=args.jobs, return_as="generator")
    spoken = pool(joblib.delayed(record)(args.corpus, *job) for job in jobs)
    rows = [row for row in tqdm(spoken, total=len(jobs), desc="corpus", mininterval=5) if row is not None]
    write_manifest(args.corpus, rows)
    for role in ("gpt", "asr", "varied"):
        mine = [row for row in rows if row.role == role]
        hours = sum(row.duration_s for row in mine) / 3600
        print(f"{role}: {len(mine)} utterances, {len({row.voice for row in mine})} voices, {hours:.2f} h")
    print(f"{len({row.text for row in rows})} distinct sentences, {len(jobs) - len(rows)} left out over {MAX_S} s")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--words", type=Path, required=True)
    parser.add_argument("--only", type=Path, metavar="LATENTS", help="speak only the sentences of a latents.pt (pocket/decoder_on_gpu.sh)")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
