"""The report page: its contents, escaping of names and texts, no network, the same bytes for the same inputs."""

import base64
import io
import re
import shutil
import subprocess
import sys
from argparse import Namespace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from stages import report
from voz.audio import wav
from voz.data import consent
from voz.metrics import figures, filters
from voz.pipeline import files, language, ledger, records
from voz.report import charts, pages, views

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


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    return pages.render(report.TEMPLATE, report.contents(fill(tmp_path_factory.mktemp("checkout")), report.Params(clips=4)))


def test_every_recording_is_on_the_page_and_plays(html: str) -> None:
    sounds = [attrs["src"] or "" for tag, attrs in Page(html).tags if tag == "audio"]
    assert len(sounds) == 2 + 2 * 3 + 4 + 1 + 4 + 1  # spoken, lines x 3, epochs, candidates, clips, reference
    pcm, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(sounds[0].removeprefix("data:audio/mpeg;base64,"))))
    assert rate_hz == 24_000
    assert abs(len(pcm) / rate_hz - 1.0) < 0.1
    assert abs(np.argmax(np.abs(np.fft.rfft(pcm[:12_000]))) * 2 - 440) <= 4  # bins of 2 Hz


def test_the_page_needs_no_network(html: str) -> None:
    for tag, attrs in Page(html).tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attrs.get(name) or "data:").startswith(("data:", "#")), (tag, attrs)
    assert "url(" not in html and "@import" not in html and "http://" not in html
    assert "default-src 'none'" in html


def test_names_and_texts_are_escaped(html: str) -> None:
    page = Page(html)
    assert page.count("script") == 3  # ours: the data of the blind test, the messages of the code, and the code
    assert not any(attrs.get("onerror") or attrs.get("src") == "x" for _, attrs in page.tags)
    assert HOSTILE in page.text
    assert "The voice of Ana <b>Pérez</b>" in page.text
    assert "49" not in re.findall(r"\{\{.{0,9}", page.text)


def test_the_page_is_in_the_language_that_it_is_told(tmp_path: Path) -> None:
    args = fill(tmp_path)
    with language.used("es"):
        page = pages.render(report.TEMPLATE, report.contents(args, report.Params(clips=2)))
    text = " ".join(Page(page).text.split())
    assert '<html lang="es">' in page and "La voz de Ana <b>Pérez</b>" in text
    assert "convert 5 3 2 3 1 vacío 1 archivo cortado" in text
    assert "época 2 (elegida): CER 0.20, pérdida 2.700" in text
    assert '"Which one do you prefer?": "\\u00bfCu\\u00e1l prefer\\u00eds?"' in page  # what the script of the blind test says
    assert HOSTILE in text


def test_ledger_adds_up_on_the_page(html: str) -> None:
    text = " ".join(Page(html).text.split())
    assert "convert 5 3 2 3 1 empty 1 truncated" in text
    assert "segment 3 3 0 6 1 no_safe_cut" in text
    assert "lacks 3.2 s" in text


def test_both_choices_of_the_training_are_shown_and_overfitting_is_named(html: str) -> None:
    text = " ".join(Page(html).text.split())
    assert "chosen on the eval notes. It was chosen by cer ( train.select)." in text and "epoch 2 (chosen): CER 0.20, loss 2.700" in text
    assert f"{NOTES[0]}-0000000-0009000; spoken with it: CER 0.125, similarity 0.750; eval loss 2.700" in text
    assert "overfitting since epoch 1: words are lost" in text
    assert html.count('<figure class="chart">') == 4 + 2  # three of eval, one of the updates, two of lengths


def test_reasons_of_curate_have_their_filter(html: str) -> None:
    text = " ".join(Page(html).text.split())
    low_snr, music = (each for each in filters.FILTERS if each.code in ("low_snr", "music"))
    assert f"low_snr 3 {low_snr.why} snr_db < min_snr_db 31.42 music 0 {music.why} music > max_music" in text


def test_the_verdict_is_in_words_with_what_to_try(html: str) -> None:
    text = " ".join(Page(html).text.split())
    assert (
        "Compared with the base, the fine-tuned voice is better in clear words (own judge alone); worse in likeness to the speaker. "
        "What to try: There are few test notes (2)" in text
    )
    assert "The training overfits" in text and "More notes: 0.3 minutes" in text
    assert '<a href="#verdict">' in html and "or raise <code>curate.test_share</code>.</li>" in html
    assert pages.code("<b> `x<y`") == "&lt;b&gt; <code>x&lt;y</code>"


def test_the_navigation_names_the_headings_in_their_order(html: str) -> None:
    links = re.findall(r'<a href="#(\w+)">([^<]+)</a>', html)
    assert [name for _, name in links] == re.findall("<h2[^>]*>([^<]+)</h2>", html)
    assert [anchor for anchor, _ in links] == [each["id"] for _, each in Page(html).tags if each.get("id") in dict(links)]


def test_green_only_where_the_difference_excludes_zero() -> None:
    better = {row.name: row.better for row in figures.table(EVALUATED)}
    assert better == {"cer": "fine_tuned", "similarity": "", "similarity_resemblyzer": "base"}
    turned = EVALUATED | {"difference": {"cer": {"mean": 0.2, "low": 0.1, "high": 0.3}}}
    assert figures.table(turned)[0].better == "base"


def test_intervals_are_shown_where_there_are_any(html: str) -> None:
    assert "[0.100 to 0.350]" in html
    assert figures.table(EVALUATED)[1].cells["real"].range == ""


def test_own_and_independent_figures_stand_beside_each_other(html: str) -> None:
    text = " ".join(Page(html).text.split())
    own, independent = figures.FIGURES["similarity"], figures.FIGURES["similarity_resemblyzer"]
    assert f"{own.label} {own.unit} {own.meaning} own higher 0.910" in text
    assert f"{independent.label} {independent.unit} {independent.meaning} independent higher 0.900" in text
    assert f"0.800 → 0.700 {independent.label}" in text  # the headline takes the independent one


def test_same_inputs_same_bytes_wherever_they_lie(html: str, tmp_path: Path) -> None:
    assert pages.render(report.TEMPLATE, report.contents(fill(tmp_path / "elsewhere"), report.Params(clips=4))) == html


def test_missing_parts_are_named_with_the_stage_that_makes_them(tmp_path: Path) -> None:
    args = fill(tmp_path)
    for folder in (args.lines, args.outputs, args.epochs, args.reports / "plots"):
        shutil.rmtree(folder)
    (args.reports / "evaluate.json").unlink()
    text = " ".join(Page(pages.render(report.TEMPLATE, report.contents(args, report.Params(clips=1)))).text.split())
    for part in (
        "Test lines: missing. The stage evaluate writes it",
        "Samples: missing. The stage synthesize writes it",
        "Loss curves: missing. The stage train writes it",
    ):
        assert part in text


def test_command_writes_one_file(tmp_path: Path) -> None:
    args = fill(tmp_path)
    options = [text for name in FOLDERS for text in (f"--{name}", str(getattr(args, name)))]
    done = subprocess.run(
        [sys.executable, "-m", "stages.report", str(args.page), *options],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert args.page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert len(done.stdout.splitlines()) == 1 and done.stderr == ""


def test_long_transcripts_are_cut() -> None:
    assert views.shortened("." * 10_000) == "." * views.MAX_CHARS + "…"


def test_spectrogram_has_a_tone_where_it_belongs() -> None:
    picture = charts.spectrogram(tone(1000, 0.5, 24_000), 24_000)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))))
    assert pixels.shape == (charts.MEL_ROWS, 50)  # 10 ms a column
    brightest_from_below = charts.MEL_ROWS - 1 - int(pixels[:, 25].argmax())
    share_of_mel_scale = 2595 * np.log10(1 + 1000 / 700) / (2595 * np.log10(1 + 8000 / 700))
    assert abs(brightest_from_below - share_of_mel_scale * (charts.MEL_ROWS - 1)) <= 1.5


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0, 10], [0, 2, 4, 6, 8, 10]), ([2.7, 3.2], [2.7, 2.8, 2.9, 3.0, 3.1, 3.2]), ([5.0, 5.0], [5, 6]), ([0.0], [0, 0.2])],
)
def test_ticks_are_round_and_enclose(values: list[float], expected: list[float]) -> None:
    ticks = charts._ticks(values)
    assert ticks[0] <= min(values) and ticks[-1] >= max(values)
    assert ticks[:2] == expected[:2] or ticks == expected


def test_the_sample_of_clips_is_evenly_spaced() -> None:
    ids = [f"{i:012x}-0000000-0009000" for i in range(10)]
    examples = [records.Example(i, i[:12], "train", "t", "t", 9.0, False, {}) for i in ids]
    assert [ids.index(e.id) for e in views.evenly_spaced(examples, 3)] == [0, 3, 6]
    assert views.evenly_spaced(examples, 99) == examples
