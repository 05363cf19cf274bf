"""The report page: its contents, escaping of names and texts, no network, the same bytes for the same inputs."""

import base64
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from stages import report
from tests.report_site import EVALUATED, FOLDERS, HOSTILE, NOTES, Page, fill, tone
from voz.metrics import figures, filters
from voz.pipeline import language, records
from voz.report import charts, pages, views


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
        "What to try: There are few test notes (1)" in text
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
