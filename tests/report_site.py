"""A folder as the report finds it, with hostile names and texts, and the page that was made of it, read."""

from argparse import Namespace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from stages import report
from voz.audio import wav
from voz.data import consent
from voz.pipeline import files, ledger, records

HOSTILE = '<script>alert("x")</script>"><img src=x onerror=alert(1)> {{ 7*7 }} ñandú'
NOTES = ("0123456789ab", "ba9876543210", "00ff00ff00ff")


def tone(hz: float, seconds: float, rate_hz: int) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def fill(root: Path) -> Namespace:
    """Write what the other stages would write for three notes, with the same records."""
    args = Namespace(page=root / "reports/report.html", **{name: root / path for name, path in FOLDERS.items()})
    for folder in (args.wav, args.dataset / "wavs", args.epochs, args.voice, args.outputs, args.reports / "plots/train"):
        folder.mkdir(parents=True)
    records.write(args.wav, [records.Note(n, f"{HOSTILE}.opus", 20.0 + i, "ogg-opus", 16000, 0.0) for i, n in enumerate(NOTES)])
    consent.write(args.dataset / consent.NAME, consent.Consent("Ana <b>Pérez</b>", "2026-05-12", "I agree.", "private"))
    clips = [f"{note}-{start:07d}-{start + 9000:07d}" for note in NOTES for start in (0, 9000)]
    split = dict(zip(NOTES, records.SPLITS, strict=True))
    examples = [records.Example(c, c[:12], split[c[:12]], HOSTILE, "hola", 9.0, c.endswith("9000"), {"snr_db": 21.5}) for c in clips]
    records.write(args.dataset, examples)
    for i, clip in enumerate(clips):
        wav.write(args.dataset / "wavs" / f"{clip}.wav", tone(200 + 40 * i, 1.0, 22_050))
    fill_ledgers(args.ledger, clips)
    fill_training(args)
    fill_speech(args, clips[-2:])
    return args


FOLDERS = {
    "wav": "data/wav",
    "dataset": "data/dataset",
    "ledger": "reports/ledger",
    "reports": "reports",
    "lines": "reports/lines",
    "epochs": "reports/epochs",
    "voice": "models/voice",
    "outputs": "outputs",
}


def fill_ledgers(folder: Path, clips: list[str]) -> None:
    convert = ledger.Account("convert", ["a.opus", "b.opus", "c.opus", "empty.opus", f"{HOSTILE}.opus"])
    for name, note in zip("abc", NOTES, strict=True):
        convert.accept(f"{name}.opus", note, name=f"{name}.opus")
    convert.reject("empty.opus", "empty.opus", "empty", name="empty.opus")
    convert.reject(f"{HOSTILE}.opus", f"{HOSTILE}.opus", "truncated", name=HOSTILE, detail="lacks 3.2 s")
    convert.close(folder / "convert.csv")
    segment = ledger.Account("segment", NOTES)
    for clip in clips:
        segment.accept(clip[:12], clip)
    segment.reject(NOTES[0], f"{NOTES[0]}@18.000", "no_safe_cut", start_s=18.0, end_s=20.0)
    segment.close(folder / "segment.csv")
    files.write_json(folder.parent / "curate.json", {"rejected": {"low_snr": 3, "music": 0}, "medians": {"snr_db": 31.4159}})


def fill_training(args: Namespace) -> None:
    losses = [3.2, 2.9, 2.7, 2.75]
    rows = [
        {"epoch": i, "loss": loss, "cer": 0.1 * i, "similarity": 0.5, "wavs": [f"epoch-{i:02d}/a.wav"], "heard": [HOSTILE]}
        for i, loss in enumerate(losses)
    ]
    clip = f"{NOTES[0]}-0000000-0009000"
    references = [{"id": clip, "loss": 2.7, "cer": 0.125, "similarity": 0.75}]
    lines, warnings = [{"id": "x", "text": HOSTILE}], ["overfitting since epoch 1: words are lost"]
    described = {"best_epoch": 2, "select": "cer", "overfitting": warnings, "lines": lines, "epochs": rows, "references": references}
    files.write_json(args.epochs / "epochs.json", described)
    for i in range(4):
        wav.write(args.epochs / f"epoch-{i:02d}" / "a.wav", tone(150 + 50 * i, 1.0, 24_000), rate_hz=24_000)
    plots = args.reports / "plots/train"
    for name, values in (("eval", losses), ("cer", [0.4, 0.1, 0.1, 0.2]), ("similarity", [0.5, 0.6, 0.6, 0.6])):
        column = "loss" if name == "eval" else name
        files.write_text(plots / f"{name}.csv", f"epoch,{column}\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    decay = "".join(f"{i},{2.5 + 3 / i**0.5:.4f},4,3\n" for i in range(1, 200))
    files.write_text(plots / "train.csv", "update,loss,text,mel\n" + decay)
    files.write_json(
        args.reports / "train.json",
        {"best_epoch": 2, "eval_loss_base": 3.2, "eval_loss": 2.7, "updates": 199, "train_clips": 5, "train_minutes": 0.3},
    )
    files.write_text(args.voice / "README.md", f"# The voice\n\n{HOSTILE}\n")
    wav.write(args.voice / "reference.wav", tone(220, 1.0, 22_050))


def fill_speech(args: Namespace, clips: list[str]) -> None:
    figures = {"cer": 0.25, "similarity": 0.8}
    records.write(args.lines, [records.Comparison(c, c[:12], HOSTILE, "hola", HOSTILE, "hola", figures, figures, figures) for c in clips])
    for i, kind in enumerate(records.VOICES):
        (args.lines / kind).mkdir()
        rate_hz = report.rate_of(kind)
        for clip in clips:
            wav.write(args.lines / kind / f"{clip}.wav", tone(300 + 100 * i, 1.0, rate_hz), rate_hz=rate_hz)
    files.write_json(args.reports / "evaluate.json", EVALUATED)
    rows = [
        records.SpokenLine(
            "0123456789aa",
            "Bueno.",
            "Bueno.",
            "01-bueno.wav",
            2.5,
            1,
            1,
            0.0,
            True,
            "bueno muchachos",
            faults=[],
            dropped=[],
            cut_s=0.0,
            watermark="perth",
            watermark_confidence=1.0,
        ),
        records.SpokenLine(
            "0123456789a0",
            HOSTILE,
            HOSTILE,
            "02-hostile.wav",
            2.5,
            1,
            3,
            0.5,
            False,
            HOSTILE,
            faults=["misheard"],
            dropped=["noise"],
            cut_s=0.4,
            watermark="none",
            watermark_confidence=0.0,
        ),
    ]
    records.write(args.outputs, rows)
    for row in rows:
        wav.write(args.outputs / row.file, tone(440, 1.0, 24_000), rate_hz=24_000)


EVALUATED = {
    "lines": 2,
    "clips": 2,
    "notes": 2,
    "real": {"cer": {"mean": 0.05, "low": 0.01, "high": 0.09}, "similarity": {"mean": 0.91}, "similarity_resemblyzer": {"mean": 0.9}},
    "base": {
        "cer": {"mean": 0.4, "low": 0.3, "high": 0.5},
        "similarity": {"mean": 0.6, "low": 0.5, "high": 0.7},
        "similarity_resemblyzer": {"mean": 0.8},
    },
    "fine_tuned": {
        "cer": {"mean": 0.2, "low": 0.1, "high": 0.35},
        "similarity": {"mean": 0.7, "low": 0.55, "high": 0.8},
        "similarity_resemblyzer": {"mean": 0.7},
    },
    "difference": {
        "cer": {"mean": -0.2, "low": -0.3, "high": -0.1},
        "similarity": {"mean": 0.1, "low": -0.05, "high": 0.2},
        "similarity_resemblyzer": {"mean": -0.1, "low": -0.2, "high": -0.05},
    },
}


class Page(HTMLParser):
    """The tags and the visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)
