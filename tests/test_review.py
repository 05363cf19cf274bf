"""`make review`: the real page in a real Chromium, the corrections that it writes, and what curate does with them."""

import time
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver.common.keys import Keys

from tests import clips, review_site
from tests.browser import Browser
from tests.review_site import CODE, TRANSCRIBED, TRUNCATED, Site, run_curate
from voz.data import corrections, dataset
from voz.pipeline import records


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with review_site.running(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.driver.quit()


@pytest.fixture
def page(site: Site, window: Browser) -> Browser:
    """The page, just loaded, without decisions."""
    (site.folder / "c.csv").write_text("clip,action,text\n")
    return load(site, window)


def load(site: Site, browser: Browser) -> Browser:
    browser.requests()
    browser.driver.get(site.address)
    browser.wait("#card .place", "1 of 9")
    browser.see("#clip-sound .play-pause-button")
    return browser


def shows(page: Browser, clip: records.Clip) -> bool:
    return bool(page.wait("#clip", clip.id) is None)


def test_a_day_of_review(site: Site, page: Browser) -> None:
    """Open, play, edit, save, accept and reject by keys alone; reload; curate follows the decisions."""
    assert shows(page, site.clips["other-0"])  # clips that a filter rejected come first, the farthest beyond its limit on top
    assert "other_speaker" in page.text("#card") and page.text("#text textarea") == clips.texts()["other-0"]
    page.press(Keys.SPACE)
    page.see('#clip-sound [aria-label="Pause"]')
    page.until(lambda: page.text("#clip-sound time") > "0:00", "sound that plays")
    page.press("r")
    assert shows(page, site.clips["mine-5"])
    assert site.of("other-0") == corrections.Correction(site.clips["other-0"].id, False, "")
    page.press("e")
    page.write('Dije "bueno", che |  y nada más.')
    page.press(Keys.ENTER)
    assert shows(page, site.clips["mine-6"])
    assert site.of("mine-5") == corrections.Correction(site.clips["mine-5"].id, True, 'Dije "bueno", che | y nada más.')
    page.press("a")
    page.wait("#message", "accepted")
    assert site.of("mine-6") == corrections.Correction(site.clips["mine-6"].id, True, "")
    page.wait(".progress", "3 of 9")
    load(site, page)
    page.press("/")
    page.write("nada más")
    page.press(Keys.ENTER)
    assert shows(page, site.clips["mine-5"])
    assert "8 of 9" in page.text("#card .place")  # decided clips are at the end, in the same order
    assert page.text("#text textarea") == 'Dije "bueno", che | y nada más.' and TRANSCRIBED["mine-5"] in page.text("#transcript")
    rows = run_curate(site.folder)
    ids = {name: clip.id for name, clip in site.clips.items()}
    assert {row.input: row.reason for row in rows.values() if row.reason} == {ids["other-0"]: "rejected_by_person"}
    kept = {example.id: example for example in dataset.read(site.folder / "data/dataset")}
    assert kept[ids["mine-5"]].text == 'Dije "bueno", che , y nada más.' and kept[ids["mine-5"]].corrected
    assert kept[ids["mine-6"]].corrected and not kept[ids["mine-0"]].corrected


def test_no_words_are_lost(site: Site, page: Browser) -> None:
    """The page does not leave a clip with an unsaved text; accepting saves it; undo restores it, or withdraws the decision."""
    first = page.text("#clip")
    page.press("e")
    page.write("Otra cosa, che.")
    page.press(Keys.ESCAPE)
    page.press("n")
    page.wait(".toast-body", "not saved")
    assert page.text("#clip") == first and page.text("#text textarea") == "Otra cosa, che."
    page.press("u")
    page.wait("#message", "restored")
    assert page.text("#text textarea") != "Otra cosa, che." and not site.decisions()
    page.press("e")
    page.write("Otra cosa, che.")
    page.press(Keys.ESCAPE)
    page.press("a")
    page.wait("#message", "accepted")
    assert site.decisions() == {first: corrections.Correction(first, True, "Otra cosa, che.")}
    page.press("p")
    page.wait("#clip", first)
    page.press("u")
    page.wait("#message", "withdrawn")
    assert not site.decisions()
    page.wait("#decision", "undecided")
    page.press("e")
    page.write(" ")
    page.press(Keys.ENTER)
    page.wait(".toast-wrap", "no words")
    assert not site.decisions()


def test_other_writers_corrections_stay(site: Site, page: Browser) -> None:
    by_hand = f'{site.clips["mine-1"].id},text,"A mano, che."\n'
    with open(site.folder / "c.csv", "a", encoding="utf-8") as file:
        file.write(by_hand)
    page.press("r")
    page.wait("#message", "rejected")
    assert by_hand in (site.folder / "c.csv").read_text() and len(site.decisions()) == 2
    (site.folder / "c.csv").write_text("no,such,header\n")
    page.press("r")
    page.wait(".toast-wrap", "c.csv:1")
    assert (site.folder / "c.csv").read_text() == "no,such,header\n"


def own_words(site: Site, clip: str) -> str:
    """What Whisper made of a clip."""
    name = next(name for name, each in site.clips.items() if each.id == clip)
    return TRANSCRIBED.get(name, clips.texts()[name])


def at_once(page: Browser, keys: str) -> None:
    """Press keys before the page can have an answer to the first of them."""
    page.script(f"for (const key of '{keys}') document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key, bubbles: true }}))")


@pytest.mark.parametrize("press", [Browser.press, at_once])
@pytest.mark.parametrize("keys", ["na", "ar", "aa"])
def test_quick_keys_never_give_a_clip_the_words_of_another(
    site: Site, page: Browser, keys: str, press: Callable[[Browser, str], None]
) -> None:
    press(page, keys)
    page.until(lambda: "1 of 9" not in page.text("#card .place"), "second clip")
    time.sleep(1)  # for whatever the last key does
    found = site.decisions()
    assert all(each.text in ("", own_words(site, clip)) for clip, each in found.items())


def test_a_decision_about_a_clip_that_is_not_yet_shown_is_refused(site: Site, page: Browser) -> None:
    first = page.text("#clip")
    at_once(page, "nar")
    page.wait(".toast-wrap", "Too soon")
    page.wait("#card .place", "2 of 9")
    assert not site.decisions()
    page.press("p")
    page.wait("#card .place", "1 of 9")
    at_once(page, "aru")
    page.wait("#card .place", "2 of 9")
    page.press("n")  # each key is answered after those before it
    page.wait("#card .place", "3 of 9")
    assert site.decisions() == {first: corrections.Correction(first, True, "")}


SLOW_POSTS = """const post = window.fetch;
window.delays_ms = [];
window.fetch = async (address, options) => {
    if (String(address).includes("/queue/join")) await new Promise((done) => setTimeout(done, window.delays_ms.shift() ?? 0));
    return post(address, options);
};"""


def test_a_post_that_is_overtaken_does_not_change_the_order_of_the_keys(site: Site, page: Browser) -> None:
    """A busy server queued the second of two keys first, so that a rejection replaced the acceptance before it."""
    slow = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SLOW_POSTS})
    try:
        load(site, page)
        first = page.text("#clip")
        page.script("window.delays_ms = [1000, 0]")
        at_once(page, "ar")
        page.wait(".toast-wrap", "Too soon")
        assert site.decisions() == {first: corrections.Correction(first, True, "")}
    finally:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", slow)


def test_keys_that_only_look_for_a_clip_are_all_obeyed(page: Browser) -> None:
    at_once(page, "nnnpn")
    page.wait("#card .place", "4 of 9")


def test_enter_searches_although_its_character_comes_late(site: Site, page: Browser) -> None:
    """A browser sends a key's character after the key, on a busy machine so late that the page had left the field."""
    page.press("/")
    page.write("oyó mal")
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    for event in ({"type": "rawKeyDown"}, {"type": "char", "text": "\r"}, {"type": "keyUp"}):
        page.driver.execute_cdp_cmd("Input.dispatchKeyEvent", enter | event)
        time.sleep(0.3)
    assert shows(page, site.clips["mine-5"])
    page.press("n")  # keys are shortcuts again
    page.wait("#card .place", "3 of 9")


def write_words(site: Site, clip: str, words: str) -> corrections.Correction:
    """Another writer corrects a clip's words."""
    decision = corrections.Correction(clip, True, words)
    corrections.write(site.folder / "c.csv", [decision])
    return decision


def test_a_page_that_is_older_than_the_words_keeps_them(site: Site, page: Browser) -> None:
    first = page.text("#clip")
    written = write_words(site, first, "Lo que dijo de verdad.")
    page.press("a")
    page.wait("#message", "accepted")
    assert site.decisions() == {first: written}
    page.press("p")
    page.wait("#clip", first)
    assert page.text("#text textarea") == "Lo que dijo de verdad."
    write_words(site, first, "Otra vez corregido.")
    page.press("n")  # nothing was typed, so nothing is unsaved
    page.wait("#card .place", "2 of 9")
    page.press("p")
    page.wait("#clip", first)
    write_words(site, first, "Y otra vez.")
    page.press("r")
    page.wait("#message", "rejected")
    assert site.decisions() == {first: corrections.Correction(first, False, "Y otra vez.")}


def test_words_written_on_an_older_page_do_not_replace_those_of_another_writer(site: Site, page: Browser) -> None:
    first = page.text("#clip")
    page.press("e")
    page.write("Lo mío.")
    written = write_words(site, first, "Lo que dijo <b>otro</b>.")
    page.press(Keys.ENTER)
    page.wait(".toast-wrap", "changed meanwhile: “Lo que dijo <b>otro</b>.”")
    assert site.decisions() == {first: written} and page.text("#text textarea") == "Lo mío."
    page.press("a")
    page.press("u")
    page.wait("#message", "restored")
    assert site.decisions() == {first: written} and page.text("#text textarea") == "Lo que dijo <b>otro</b>."
    page.press("e")
    page.write("Lo mío.")
    page.press(Keys.ENTER)
    page.wait("#message", "text saved")
    assert site.decisions() == {first: corrections.Correction(first, True, "Lo mío.")}


def test_the_ledger_plays_what_was_rejected(site: Site, page: Browser) -> None:
    page.press("l")
    page.wait("#rejected-card", "convert: damaged")
    page.wait("#no-sound", "No sound")  # the name points outside of the folder
    page.press("n")
    page.wait("#rejected-card", "empty_file")
    page.wait("#no-sound", "No sound")
    page.press("n")
    page.wait("#rejected-card", TRUNCATED)
    page.wait("#rejected-sound #duration", "0:25")
    page.press("n")
    page.wait("#rejected-card", "PTT-mine.opus · 1.00–3.00 s")
    page.wait("#rejected-sound #duration", "0:02")
    page.wait("#rejected-sound time", "0:02")  # its end: after the first key it plays without another
    page.press("n")
    page.wait("#rejected-card", "curate")
    wanted = next(clip for clip in site.clips.values() if clip.id in page.text("#rejected-card"))
    page.press("c")
    assert shows(page, wanted)


def test_words_and_names_are_never_markup(site: Site, page: Browser) -> None:
    page.press("/")
    page.write("onerror")
    page.press(Keys.ENTER)
    assert shows(page, site.clips["mine-3"])
    assert page.text("#text textarea") == TRANSCRIBED["mine-3"]
    page.wait("#list", CODE)
    page.press("u")
    page.press("/")
    page.write(site.clips["mine-2"].id)
    page.press(Keys.ENTER)
    page.wait("#transcript", f"lo que anotó el teléfono {CODE}")
    page.press("l")
    page.wait("#rejected-list", TRUNCATED)
    assert page.script("return [window.struck, document.querySelectorAll('img[src=x]').length]") == [None, 0]


def test_the_page_fetches_nothing_from_other_machines(site: Site, page: Browser) -> None:
    found = page.requests()
    assert len(found) > 20
    assert not [address for address in found if not address.removeprefix("blob:").startswith((site.origin, "data:"))]


def test_a_page_older_than_the_clips_decides_nothing(site: Site, page: Browser) -> None:
    """`dvc repro` has made other clips and another page has loaded them: the first page must not decide on clips that are gone."""
    manifest = site.folder / "data/clips" / records.MANIFEST
    before = manifest.read_text()
    shown = page.text("#clip")
    try:
        records.write(manifest.parent, [clip for clip in site.clips.values() if clip.id != shown])
        page.driver.switch_to.new_window("tab")
        page.driver.get(site.address)
        page.wait("#card .place", "of 8")
        page.driver.close()
        page.driver.switch_to.window(page.driver.window_handles[0])
        page.press("a")
        page.wait(".toast-wrap", "reload the page")
        assert not site.decisions()
    finally:
        manifest.write_text(before)


def test_narrow_windows_need_no_sideways_scrolling(site: Site, page: Browser) -> None:
    size = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for card in ("#card", "#rejected-card"):
            page.see(card)
            assert page.script("return document.documentElement.scrollWidth") <= 400
            page.press("l")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
