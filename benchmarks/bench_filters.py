"""Precision and recall of each of curate's filters on a synthetic corpus with planted faults.

    python -m benchmarks.bench_filters /tmp/filters --base models/pocket/xtts --asr models/pocket/whisper.pt

Reads   espeak-ng, the word list of the Debian package `wspanish`, the base's speaker encoder, Whisper
Writes  the folder (clips, corpus.jsonl; kept for the next run) and a table on stdout, ready for benchmarks/README.md

Every clip is espeak-ng speech of one speaker with background noise, coded as Opus as on a phone. The stages' own code computes
levels, seconds of speech, Whisper's confidence and the speaker embedding; a fault replaces sound, text or a field of the
transcript. The texts of clean clips are what was spoken. `wrong_language` replaces the language and its probability, because
the pocket Whisper knows only one language.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import whisper as openai_whisper

from pocket.corpus import opus, sentences, speech, voices
from pocket.corpus.voices import Voice
from stages import curate
from voz.audio import limits, segmentation, vad, wav
from voz.metrics import clip_scores, text_scores
from voz.model import device, whisper, xtts
from voz.pipeline import command, files, parallel, params, records
from voz.text.letters import fold

SEED = 29  # not a corpus on which a limit was set: clipping, music and other_speaker were set with seed 7, low_confidence with 11
CLEAN, PER_FAULT = 300, 24
PROMPT = "Che, ¿vos qué querés? Dale, mirá, yo ya llegué. No sabés lo que pasó ayer en la calle."
THANKS = (  # phrases that Whisper invents, but spoken, in clips as long as segment makes them
    "Muchas gracias, gracias por avisarme, nos vemos en la próxima, hasta la próxima.",
    "Gracias por ver eso, muchas gracias, nos vemos en la próxima, gracias.",
    "Bueno, muchas gracias, gracias por su atención, hasta la próxima.",
)
BESIDE = ("(Risas) {}", "*suspira* {}", "[Música] {}", "- {}", "{} Subtítulos realizados por la comunidad de Amara.org", "{} ♪")
NOBODY_SAYS = (
    "¡Gracias por ver el video!",
    "Subtítulos por la comunidad de Amara.org",
    "Subtitulado por Marta Ruiz. Traducción: Eva Sanz",
    "¡Suscríbete!",
    "Nos vemos en el próximo video.",
    "Thank you for watching.",
    "♪ no te vayas nunca más ♪",
)
OTHERS = ("f2", "m7", "belinda", "paul", "victor", "Mike", "f5", "klatt3")
SHE = voices.SHE


@dataclass(frozen=True)
class Planted:
    """A clip of the corpus.

    pcm: float32 at 22 050 Hz [T]; empty if it was read back, the sound is then in the folder.
    text: the text of the transcript.
    fault: the code of the filter that should reject it, "" for a clean clip.
    figures: fields of Whisper's transcript that the fault replaces.
    """

    pcm: np.ndarray
    text: str
    fault: str
    figures: dict[str, object]


class Corpus:
    """Makes clips; each has a random generator of its own, so that one more clip changes no other."""

    def __init__(self, words: Path) -> None:
        self.texts = sentences.generate(SEED, sentences.dictionary(words), length="medium", forbidden=set())

    def spoken(self, rng: random.Random, voice: Voice = voices.DEMO_SPEAKER, text: str = "") -> tuple[np.ndarray, str]:
        """Speak one or two sentences with pauses, or `text`. -> float32 at 22 050 Hz [T], the text"""
        said = [text] if text else [next(self.texts) for _ in range(rng.choice((1, 2)))]
        parts = [part for line in said for part in (speech.speak(line, voice), np.zeros(int(rng.uniform(0.2, 0.5) * wav.SAMPLE_RATE_HZ)))]
        edge = np.zeros(int(0.2 * wav.SAMPLE_RATE_HZ))
        return np.concatenate([edge, *parts]).astype(np.float32), " ".join(said)

    def clean(self, rng: random.Random) -> Planted:
        thanks = rng.choice(THANKS) if rng.random() < 0.05 else ""  # each at its own pace, or two of them would be duplicates
        voice = replace(voices.DEMO_SPEAKER, rate_wpm=rng.randint(135, 175)) if thanks else voices.DEMO_SPEAKER
        pcm, text = self.spoken(rng, voice, thanks)
        unclear = {"language": rng.choice(("gl", "ca")), "language_prob": rng.uniform(0.3, 0.99)} if rng.random() < 0.05 else {}
        return Planted(phone(noisy(pcm, rng, snr_db=rng.uniform(22, 40)), rng), text, "", unclear)

    def low_snr(self, rng: random.Random) -> Planted:
        pcm, text = self.spoken(rng)
        return Planted(phone(noisy(pcm, rng, snr_db=rng.uniform(-2, 8)), rng), text, "low_snr", {})

    def clipping(self, rng: random.Random) -> Planted:
        pcm, text = self.spoken(rng)
        top = np.quantile(np.abs(pcm), 1 - rng.uniform(0.03, 0.15))
        return Planted(phone(noisy(np.clip(pcm, -top, top), rng, snr_db=35), rng), text, "clipping", {})

    def music(self, rng: random.Random) -> Planted:
        pcm, text = self.spoken(rng)
        gain = np.sqrt(np.mean(pcm**2)) * 10 ** (-rng.uniform(5, 20) / 20)
        return Planted(phone(noisy(pcm + gain * chords(len(pcm), rng), rng, snr_db=35), rng), text, "music", {})

    def other_speaker(self, rng: random.Random) -> Planted:
        pcm, text = self.spoken(rng, Voice(variant=rng.choice(OTHERS), pitch=rng.randint(45, 75), rate_wpm=165, gap=1, accent=SHE))
        return Planted(phone(noisy(pcm, rng, snr_db=rng.uniform(22, 40)), rng), text, "other_speaker", {})

    def hallucination(self, rng: random.Random) -> Planted:
        pcm, _ = self.spoken(rng)
        sound = pcm[::-1].copy() if rng.random() < 0.5 else np.pad(pcm[: len(pcm) // 8], (40_000, 40_000))
        text = rng.choice((*NOBODY_SAYS, "Gracias.", "Hasta la próxima.", f"{next(self.texts)} {rng.choice(NOBODY_SAYS[3:])}"))
        return Planted(phone(noisy(sound, rng, snr_db=20), rng), text, "hallucination", {})

    def prompt_leak(self, rng: random.Random) -> Planted:
        whole = replace(self.clean(rng), fault="prompt_leak", figures={})
        return replace(whole, text=rng.choice((PROMPT, "¿Vos qué querés? Dale, mirá.", "No sabés lo que pasó ayer en la calle.")))

    def too_fast(self, rng: random.Random) -> Planted:
        whole = replace(self.clean(rng), fault="too_fast", figures={})
        return replace(
            whole, text=f"{whole.text} {next(self.texts)}" if len(whole.text) < 60 else whole.text, pcm=squeezed(whole.pcm, 0.45)
        )

    def too_slow(self, rng: random.Random) -> Planted:
        whole = replace(self.clean(rng), fault="too_slow", figures={})
        return replace(whole, text=" ".join(whole.text.split()[:3]), pcm=np.tile(whole.pcm, 2)[: 11 * wav.SAMPLE_RATE_HZ])

    def incomplete(self, rng: random.Random) -> Planted:
        """The pocket Whisper's transcript that ends at a pause: a third to a half of the words are there."""
        whole = replace(self.clean(rng), fault="incomplete", figures={})
        words = whole.text.split()
        return replace(whole, text=" ".join(words[: max(3, round(len(words) * rng.uniform(0.33, 0.5)))]))

    def loop(self, rng: random.Random) -> Planted:
        """A run of words from a text, again and again for as long as its sound lasts."""
        whole = replace(self.clean(rng), fault="loop")
        words = whole.text.split()
        run = " ".join(words[: rng.randint(2, max(2, len(words) // 3))])
        text = ", ".join([run] * max(3, len(whole.text) // len(run)))
        return replace(whole, text=text, figures={"compression_ratio": openai_whisper.utils.compression_ratio(text)})

    def low_confidence(self, rng: random.Random) -> Planted:
        pcm, _ = self.spoken(rng)
        return Planted(phone(noisy(pcm[::-1].copy(), rng, snr_db=25), rng), next(self.texts), "low_confidence", {})

    def wrong_language(self, rng: random.Random) -> Planted:
        return replace(
            self.clean(rng),
            fault="wrong_language",
            figures={"language": rng.choice(("pt", "en")), "language_prob": rng.uniform(0.75, 0.99)},
        )

    def too_few_words(self, rng: random.Random) -> Planted:
        return replace(self.clean(rng), fault="too_few_words", figures={}, text=rng.choice(("Dale.", "Sí, obvio.", "Buenísimo.")))

    def no_text(self, rng: random.Random) -> Planted:
        return replace(self.clean(rng), fault="no_text", figures={}, text=rng.choice(("", "...", "😂")))

    def unknown_characters(self, rng: random.Random) -> Planted:
        return replace(self.clean(rng), fault="unknown_characters", figures={}, text="Привет, ¿cómo va eso?")

    def audio_too_long(self, rng: random.Random) -> Planted:
        whole = replace(self.clean(rng), fault="audio_too_long", figures={})
        return replace(whole, pcm=np.tile(whole.pcm, 6)[: limits.MAX_SAMPLES + rng.randint(1, 50_000)], text=whole.text * 3)

    def audio_too_short(self, rng: random.Random) -> Planted:
        pcm, _ = self.spoken(rng)
        return Planted(phone(pcm[5_000:15_500], rng), "Bueno, dale, che.", "audio_too_short", {})


FAULTS: tuple[Callable[[Corpus, random.Random], Planted], ...] = (
    *(Corpus.low_snr, Corpus.clipping, Corpus.music, Corpus.other_speaker, Corpus.audio_too_long, Corpus.audio_too_short),
    *(Corpus.hallucination, Corpus.prompt_leak, Corpus.too_fast, Corpus.too_slow, Corpus.low_confidence, Corpus.wrong_language),
    *(Corpus.too_few_words, Corpus.no_text, Corpus.unknown_characters, Corpus.incomplete, Corpus.loop),
)


def noisy(pcm: np.ndarray, rng: random.Random, *, snr_db: float) -> np.ndarray:
    """Add pink noise, `snr_db` below the power of the louder half of the samples. [T] -> float32 [T]"""
    spectrum = np.fft.rfft(np.random.default_rng(rng.randrange(2**32)).normal(size=len(pcm)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(len(pcm), 1 / wav.SAMPLE_RATE_HZ), 50.0)), len(pcm))
    power = np.mean(pcm[np.abs(pcm) >= np.quantile(np.abs(pcm), 0.5)] ** 2)
    return (pcm + noise * np.sqrt(power / np.mean(noise**2)) * 10 ** (-snr_db / 20)).astype(np.float32)


def chords(length: int, rng: random.Random) -> np.ndarray:
    """Organ-like chords of three notes with four partials each, a new chord every second. -> [T], RMS 1"""
    t_s = np.arange(length) / wav.SAMPLE_RATE_HZ
    bars = []
    for _ in range(length // wav.SAMPLE_RATE_HZ + 1):
        roots = [rng.choice((196.0, 220.0, 246.9, 261.6)) * ratio for ratio in (1.0, 1.25, 1.5)]
        bars.append(sum(np.sin(2 * np.pi * hz * n * t_s[: wav.SAMPLE_RATE_HZ]) / n for hz in roots for n in (1, 2, 3, 4)))
    sound = np.concatenate(bars)[:length]
    return sound / np.sqrt(np.mean(sound**2))


def squeezed(pcm: np.ndarray, share: float) -> np.ndarray:
    """Cut off the end of a clip, whose text goes on. [T] -> [share * T]"""
    return pcm[: int(len(pcm) * share)]


def phone(pcm: np.ndarray, rng: random.Random) -> np.ndarray:
    """Code a clip as Opus, as a phone does, and set the level of `convert`, RMS -23 dB. [T] -> float32, at most 11.3 s"""
    loud = pcm[: int(11.3 * wav.SAMPLE_RATE_HZ)] * 0.5 / max(float(np.abs(pcm).max()), 1e-9)
    decoded = opus.roundtrip(
        wav.resample(loud.astype(np.float32), wav.SAMPLE_RATE_HZ, opus.SAMPLE_RATE_HZ), bitrate_bps=rng.choice((16_000, 20_000, 24_000))
    )
    back = wav.resample(decoded, opus.SAMPLE_RATE_HZ, wav.SAMPLE_RATE_HZ)
    return (back * 10 ** (-23 / 20) / max(float(np.sqrt(np.mean(back**2))), 1e-9)).astype(np.float32)


def build(words: Path) -> list[Planted]:
    """Make the corpus: CLEAN clips and PER_FAULT of each fault. Duplicates are clean clips, shifted and coded again.

    A tenth of the clean clips have a text with something that curate cuts off.
    """
    corpus = Corpus(words)
    made = [corpus.clean(random.Random(f"{SEED} clean {n}")) for n in range(CLEAN)]
    made = [replace(each, text=BESIDE[n // 10 % len(BESIDE)].format(each.text)) if n % 10 == 0 else each for n, each in enumerate(made)]
    for fault in FAULTS:
        made += [fault(corpus, random.Random(f"{SEED} {fault.__name__} {n}")) for n in range(PER_FAULT)]
    for n in range(PER_FAULT):
        rng = random.Random(f"{SEED} copy {n}")
        copy = np.concatenate([np.zeros(rng.randrange(2_000), np.float32), made[n].pcm])
        made.append(replace(made[n], pcm=phone(copy * rng.uniform(0.3, 1.0), rng), fault="near_duplicate"))
    return made


def record(folder: Path, number: int, planted: Planted) -> records.Clip:
    """Write the clip and return the record that segment would write. A duplicate's id sorts after that of its original."""
    note = f"{number:04x}" + hashlib.sha256(str(number).encode()).hexdigest()[:8]
    name = f"{note}-0000000-{round(len(planted.pcm) / wav.SAMPLE_RATE_HZ * 1000):07d}"
    wav.write(folder / f"{name}.wav", planted.pcm)
    analysis = vad.analyse(folder / f"{name}.wav")
    if not analysis.mask.any():  # silero finds no speech in some faults; segment would reject them, here a filter is to do it
        analysis = replace(analysis, mask=np.arange(len(analysis.mask)) < len(analysis.mask) // 20 + 1)
    clip = segmentation.clip_record(note, analysis, segmentation.Stretch(0, len(analysis.energy) - 1, ""))
    return replace(clip, id=name, start_s=0.0, duration_s=len(planted.pcm) / wav.SAMPLE_RATE_HZ)


def prepare(folder: Path, words: Path) -> tuple[list[Planted], list[records.Clip]]:
    """Make the corpus in `folder`, or read the one that is there."""
    kept = folder / "corpus.jsonl"
    if not kept.is_file():
        corpus = build(words)
        clips = [
            record(folder, number, planted) for number, planted in enumerate(parallel.progress(corpus, total=len(corpus), label="corpus"))
        ]
        records.write(folder, clips)
        lines = [json.dumps({"text": p.text, "fault": p.fault, "figures": p.figures}, ensure_ascii=False) for p in corpus]
        files.write_text(kept, "\n".join(lines) + "\n")
    rows = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    return [Planted(np.zeros(0, np.float32), **row) for row in rows], records.read(folder, records.Clip)


def transcripts(folder: Path, clips: list[records.Clip], corpus: list[Planted], model: Path, where: str) -> list[records.Transcript]:
    """Transcripts with Whisper's confidence in each clip, the text of the corpus, and the fields that a fault replaces."""
    asr = whisper.load(model, device.pick(where))
    rows = []
    for at in parallel.progress(range(0, len(clips), whisper.BATCH), total=-(-len(clips) // whisper.BATCH), label="whisper", unit="batch"):
        batch = clips[at : at + whisper.BATCH]
        pcms = [wav.resample(wav.read(folder / f"{clip.id}.wav"), wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ) for clip in batch]
        transcribed = whisper.transcribe(asr, pcms, prompt="", temperatures=[0.0], seeds=[0] * len(batch))
        for clip, one, planted in zip(batch, transcribed, corpus[at:], strict=False):
            figures = {"avg_logprob": one.avg_logprob, "no_speech_prob": one.no_speech_prob, "compression_ratio": one.compression_ratio}
            fields = {"temperature": 0.0, "language": "es", "language_prob": 0.99} | figures | planted.figures
            rows.append(records.Transcript(id=clip.id, text=planted.text, **fields))  # type: ignore[arg-type]
    return rows


def table(candidates: list[curate.Candidate], corpus: list[Planted]) -> list[str]:
    """One line per code: planted, caught, clean clips that it rejects, precision, recall."""
    lines = ["| filter | planted | caught | clean clips rejected | precision | recall |", "|---|---|---|---|---|---|"]
    clean = [c for c, planted in zip(candidates, corpus, strict=True) if not planted.fault]
    for code in sorted({planted.fault for planted in corpus} - {""}):
        mine = [c for c, planted in zip(candidates, corpus, strict=True) if planted.fault == code]
        caught, wrong = sum(code in c.reasons for c in mine), sum(code in c.reasons for c in clean)
        precision = f"{caught / (caught + wrong):.3f}" if caught + wrong else "-"
        lines.append(f"| {code} | {len(mine)} | {caught} | {wrong} of {len(clean)} | {precision} | {caught / len(mine):.3f} |")
    lost = sum(bool(c.reasons) for c in clean)
    let_through = sum(not c.reasons for c, planted in zip(candidates, corpus, strict=True) if planted.fault)
    lines.append(
        f"\n{len(candidates)} clips: {lost} of {len(clean)} clean ones rejected, "
        f"{let_through} of {len(candidates) - len(clean)} faulty ones accepted."
    )
    listed = [any(f" {fold(p)} " in f" {fold(c.text.written)} " for p in text_scores.PHRASES) for c in clean]
    lines.append(f"The list of phrases alone would have rejected {sum(listed)} clean clips as hallucinations.")
    return lines


def main() -> None:
    args = parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    corpus, clips = prepare(args.folder, args.words)
    compute = params.load("compute", params.Compute)
    tokenizer = xtts.read_tokenizer(args.base)
    candidates = [
        curate.candidate(clip, each, None, tokenizer)
        for clip, each in zip(clips, transcripts(args.folder, clips, corpus, args.asr, compute.device), strict=True)
    ]
    curate.add_scores(candidates, clip_scores.analyse_clips(args.folder, clips, args.base, compute), PROMPT)
    samples = [round(clip.duration_s * wav.SAMPLE_RATE_HZ) for clip in clips]
    curate.add_reasons(candidates, samples, tokenizer, params.load("curate", curate.Params))
    print("\n".join(table(candidates, corpus)))
    if args.scores:
        pairs = zip(candidates, corpus, strict=True)
        lines = [f"{p.fault or 'clean'}\t{' '.join(c.reasons)}\t{c.scores}\t{c.text.written}\n" for c, p in pairs]
        files.write_text(args.scores, "".join(lines))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for the clips")
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--asr", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path("/usr/share/dict/spanish"))
    parser.add_argument("--scores", type=Path, help="file for every clip's fault, reasons and scores, for tuning")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
