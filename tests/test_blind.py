"""The blind test: how its trials are drawn, what its numbers are, and the real page in a real Chromium."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from stages import report
from tests import report_site
from tests.browser import Browser
from voz.audio import level
from voz.report import blind, pages, views
from voz.report.views import LineView

VOICES = ("real", "base", "fine_tuned")
LINES = [f"line-{n}" for n in range(8)]


def line(name: str, sound: str = "data:") -> LineView:
    return LineView(f"Texto {name}", [views.Player(voice, sound, "", 1.0, voice) for voice in VOICES], "", name)


def test_every_pair_is_heard_on_every_line_and_each_side_is_first_half_the_time() -> None:
    trials = blind.draw(LINES, VOICES, seed=1)
    pairs = Counter((trial.line, frozenset((trial.first, trial.second))) for trial in trials)
    assert len(pairs) == 24 and set(pairs.values()) == {1}
    first = Counter((trial.first, trial.second) for trial in trials)
    assert len(first) == 6 and set(first.values()) == {4}
    neighbours = sum(a.line == b.line for a, b in itertools.pairwise(trials))
    assert neighbours < 6  # in the order of the lines it would be 16


def test_the_seed_alone_decides_the_order() -> None:
    assert blind.draw(LINES, VOICES, seed=1) == blind.draw(LINES, VOICES, seed=1) != blind.draw(LINES, VOICES, seed=2)


def test_nobody_has_to_hear_a_thousand_pairs() -> None:
    many = [str(n) for n in range(500)]
    trials = blind.draw(many, VOICES, seed=1)
    assert len(trials) == blind.MAX_TRIALS
    assert set(Counter(trial.line for trial in trials).values()) == {3}  # all pairs of the same lines
    assert len(blind.draw(many, VOICES[:2], seed=1)) == blind.MAX_TRIALS


@pytest.mark.parametrize(
    ("preferred", "answers", "expected"),
    [  # two-sided p: 2 * (10 + 1) / 2**10; the interval of 10 of 10: 0.025 ** 0.1
        (9, 10, [0.0215, 0.5550, 0.9975]),
        (10, 10, [0.0020, 0.6915, 1.0]),
        (5, 5, [0.0625, 0.4782, 1.0]),
        (5, 10, [1.0, 0.1871, 0.8129]),
    ],
)
def test_outcomes_are_exact(preferred: int, answers: int, expected: list[float]) -> None:
    assert blind.outcome(preferred, answers) == pytest.approx(expected, abs=1e-4)


def test_the_limit_is_shared_by_the_pairs_of_voices() -> None:
    lines = [line(name) for name in LINES]
    three = blind.blind_test(lines, {voice: voice for voice in VOICES}, seed=1)
    two = blind.blind_test(lines, {voice: voice for voice in VOICES[:2]}, seed=1)
    assert three and two
    assert (three.significant, two.significant) == (pytest.approx(0.05 / 3), 0.05)
    assert [len(row) for row in three.outcomes] == [0, *range(2, 10)]  # up to 8 answers a pair


def test_answers_belong_to_these_recordings() -> None:
    names = {voice: voice for voice in VOICES}
    made = [("a", 1), ("a", 1), ("b", 1), ("a", 2)]
    tests = [blind.blind_test([line(name, sound) for name in LINES], names, seed=seed) for sound, seed in made]
    ids = [test.id for test in tests if test]
    assert ids[0] == ids[1] and len(set(ids)) == 3


def test_no_lines_no_test() -> None:
    assert blind.blind_test([], {"a": "A", "b": "B"}, seed=1) is None


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of `report_site`: two lines, three voices, six pairs."""
    args = report_site.fill(tmp_path_factory.mktemp("checkout"))
    html = pages.render(report.TEMPLATE, report.contents(args, report.Params(clips=1)))
    path = tmp_path_factory.mktemp("pages") / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser()
    folder = {"behavior": "allow", "downloadPath": str(tmp_path_factory.mktemp("downloads"))}
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    browser.downloads = Path(folder["downloadPath"])  # type: ignore[attr-defined]
    yield browser
    browser.driver.quit()


@pytest.fixture
def opened(page: Path, window: Browser) -> Browser:
    """The page without stored answers."""
    window.driver.get(page.as_uri())
    window.script("localStorage.clear()")
    window.driver.get(page.as_uri())
    return window


def trials(browser: Browser) -> list[dict[str, str]]:
    data: dict[str, list[dict[str, str]]] = json.loads(browser.script("return document.getElementById('blind-data').textContent"))
    return data["trials"]


def hear_first(browser: Browser) -> None:
    browser.press("1")
    browser.until(lambda: float(browser.text("[data-is=position]")), "the first recording")


def hear_both(browser: Browser) -> None:
    hear_first(browser)
    browser.press("2")
    browser.see('[data-do="first"]:enabled')


def prefer(browser: Browser, voice: str) -> None:
    """Hear a pair and prefer a voice; without it, have no preference."""
    trial = trials(browser)[int(browser.text("[data-is=place]").split()[1]) - 1]
    hear_both(browser)
    keys = {trial["first"]: Keys.ARROW_LEFT, trial["second"]: Keys.ARROW_RIGHT}
    browser.press(keys.get(voice, Keys.ARROW_DOWN))


def start(browser: Browser) -> None:
    browser.see("[data-do=start]").click()
    browser.wait("[data-is=place]", "Pair")


def test_the_whole_test_by_keys(opened: Browser) -> None:
    start(opened)
    for _ in range(6):
        prefer(opened, "real")
    opened.see("[data-is=tally]")
    rows = {row.split(" rather")[0] + row.split("than ", 1)[1] for row in opened.text("[data-is=tally]").splitlines()}
    assert rows >= {"realbase 2 of 2 0 100 % 16 % to 100 % 0.500", "realfine-tuned 2 of 2 0 100 % 16 % to 100 % 0.500"}
    assert "real and base: no difference shown. 2 answers with a preference are too few to show one." in opened.text("[data-is=verdicts]")


def test_labels_are_hidden_and_nothing_is_answered_unheard(opened: Browser) -> None:
    start(opened)
    shown = opened.text("#blind")
    assert not any(name in shown for name in ("real", "base", "fine-tuned"))
    opened.press(Keys.ARROW_LEFT)
    assert opened.text("[data-is=place]") == "Pair 1 of 6"
    hear_first(opened)
    assert not opened.see('[data-do="first"]').is_enabled()


def test_answers_are_there_after_a_reload_and_back_takes_one_away(opened: Browser, page: Path) -> None:
    start(opened)
    prefer(opened, "base")
    prefer(opened, "")
    opened.driver.get(page.as_uri())
    opened.wait("[data-do=start]", "Go on with pair 3")
    start(opened)
    opened.press(Keys.BACKSPACE)
    opened.wait("[data-is=place]", "Pair 2 of 6")
    assert opened.script("return Object.keys(localStorage).length") == 1


def test_a_saved_file_goes_on_elsewhere(opened: Browser, page: Path, tmp_path: Path) -> None:
    start(opened)
    prefer(opened, "base")
    opened.see("[data-step=trial] [data-do=download]").click()
    folder: Path = opened.downloads  # type: ignore[attr-defined]
    saved = opened.until(lambda: next(folder.glob("blind-*.json"), None), "a saved file")
    values = json.loads(saved.read_text(encoding="utf-8"))
    assert values["answers"][0]["text"] == report_site.HOSTILE and values["finished"] is False and "tally" not in values
    opened.script("localStorage.clear()")
    opened.driver.get(page.as_uri())
    opened.see("[data-is=file]").send_keys(str(saved))
    opened.wait("[data-is=place]", "Pair 2 of 6")
    other = tmp_path / "other.json"
    other.write_text(json.dumps(values | {"test": "0" * 16}), encoding="utf-8")
    opened.script("localStorage.clear()")
    opened.driver.get(page.as_uri())
    opened.see("[data-is=file]").send_keys(str(other))
    opened.wait("[data-is=message]", "answers to another test")


def test_stopping_shows_the_result_of_what_was_answered(opened: Browser) -> None:
    start(opened)
    prefer(opened, "")
    opened.see("[data-do=finish]").click()
    opened.wait("[data-is=tally]", "0 1 – – –")


def test_switching_goes_on_at_the_same_place(opened: Browser) -> None:
    """The other recording of a text starts at the same share of its duration."""
    find = "const [a, b] = document.querySelectorAll('#compare ~ .card audio');"
    first, second = opened.driver.find_elements("css selector", "#compare ~ .card .switch")[:2]
    opened.script(f"{find} b.addEventListener('playing', () => (window.began = b.currentTime / b.duration), {{ once: true }})")
    first.click()
    opened.until(lambda: opened.script(f"{find} return a.currentTime"), "the first recording")
    opened.script(f"{find} a.pause(); a.currentTime = 0.5 * a.duration;")
    second.click()
    began = opened.until(lambda: opened.script("return window.began"), "the second recording")
    assert began == pytest.approx(0.5, abs=0.1)
    assert first.get_attribute("aria-pressed") == "false"


def test_the_blind_test_switches_at_the_same_place(opened: Browser) -> None:
    start(opened)
    hear_first(opened)
    opened.press(Keys.SPACE)
    slider = opened.see("[data-is=position]")
    opened.script("document.querySelector('[data-is=position]').value = 700")
    opened.script("document.querySelector('[data-is=position]').dispatchEvent(new Event('input', { bubbles: true }))")
    opened.until(lambda: float(slider.get_property("value")) >= 700, "the new position")
    opened.press("2")
    opened.see('[data-do="first"]:enabled')
    assert float(slider.get_property("value")) >= 600  # it has not started again


def test_recordings_are_equally_loud() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(48_000).astype(np.float32) * 0.1
    loud, quiet = level.same_loudness([noise, noise[:22_050] * 0.5], [24_000, 22_050])
    assert level.speech_db(loud, 24_000) == pytest.approx(level.speech_db(quiet, 22_050), abs=0.1)
    kept = level.same_loudness([noise, np.zeros(24_000, dtype=np.float32)], [24_000, 24_000])[0]
    assert level.speech_db(kept, 24_000) == pytest.approx(level.speech_db(noise, 24_000) - level.MOST_QUIETER_DB, abs=0.1)
