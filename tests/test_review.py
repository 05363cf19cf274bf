"""`make review`: the real page in a real Chromium, the corrections that it writes, and what curate does with them."""

import http.client
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml
from selenium.webdriver.common.keys import Keys

from stages import curate
from tests import clips, recordings
from tests.browser import Browser
from voz.audio import wav
from voz.data import corrections, dataset, phone_transcripts
from voz.pipeline import files, ledger, records

ROOT = Path(__file__).parent.parent
REVIEW = Path(sys.prefix) / "review" / "bin" / "python"
CODE = "<img src=x onerror=window.struck=1>"  # as a text and as a file's name
TRUNCATED = f"{CODE}.opus"
TRANSCRIBED = {"mine-3": f"hola {CODE} che", "mine-5": "Bueno, esto lo oyó mal, che."}
CURATE = ["data/clips", "data/transcripts", "data/dataset", "--corrections", "c.csv", "--base", str(ROOT / "models/pocket/xtts")]
CURATE += ["--ledger", "reports/ledger/curate.csv", "--metrics", "reports/curate.json"]


@dataclass
class Site:
    """A folder with the outputs of the pipeline, in which the page's server runs."""

    folder: Path
    clips: dict[str, records.Clip]
    process: subprocess.Popen[str]
    address: str

    @property
    def origin(self) -> str:
        """The address without its token."""
        return self.address[: self.address.index("/", len("http://")) + 1]

    def decisions(self) -> dict[str, corrections.Correction]:
        return corrections.read(self.folder / "c.csv")

    def of(self, name: str) -> corrections.Correction | None:
        return self.decisions().get(self.clips[name].id)


def pipeline(folder: Path) -> dict[str, records.Clip]:
    """Eight clips of the speaker and one of another; a stretch and three files that segment and convert have rejected."""
    sounds = {f"mine-{n}": clips.pcm(f"mine-{n}") for n in range(8)} | {"other-0": clips.pcm("other-0")}
    made = clips.write_clips(folder / "data/clips", sounds)
    unsure = {"mine-5": -1.2, "mine-6": -0.9}
    transcripts = [
        clips.transcript_of(clip, TRANSCRIBED.get(name, clips.texts()[name]), avg_logprob=unsure.get(name, -0.2))
        for name, clip in made.items()
    ]
    records.write(folder / "data/transcripts", transcripts)
    files.write_json(folder / "data/transcripts" / curate.SETTINGS, {"prompt": clips.PROMPT})
    notes = folder / "notes"
    notes.mkdir()
    (notes / TRUNCATED).write_bytes(recordings.no_end())
    (notes / "empty.opus").touch()
    phone_transcripts.add(notes, {made["mine-2"].note: f"lo que anotó el teléfono {CODE}"})
    (notes / "page.html").write_text("<script>window.struck=1</script>")
    account = ledger.Account("convert", [TRUNCATED, "empty.opus", "../c.csv"])
    account.reject(TRUNCATED, TRUNCATED, "truncated", name=TRUNCATED, detail="no end-of-stream page")
    account.reject("empty.opus", "empty.opus", "empty_file", name="empty.opus", detail="zero bytes")
    account.reject("../c.csv", "../c.csv", "damaged", name="../c.csv", detail="a name that points outside of the folder")
    account.close(folder / "reports/ledger/convert.csv")
    clip = made["mine-0"]
    (folder / "data/wav").mkdir()
    wav.write(folder / "data/wav" / f"{clip.note}.wav", clips.pcm("mine-0"))
    records.write(folder / "data/wav", [records.Note(clip.note, "PTT-mine.opus", clip.duration_s, "ogg-opus", 16_000, 0.0)])
    account = ledger.Account("segment", [clip.note])
    account.reject(clip.note, f"{clip.note}-0001000-0003000", "too_short", start_s=1.0, end_s=3.0, detail="2.00 s of speech")
    account.close(folder / "reports/ledger/segment.csv")
    values = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"notes": "notes", "corrections": "c.csv"}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    (folder / "c.csv").write_text("clip,action,text\n")
    return made


def run_curate(folder: Path) -> dict[str, ledger.Row]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "stages.curate", *CURATE], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return {row.input: row for row in ledger.read(folder / "reports/ledger/curate.csv")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    assert REVIEW.exists(), f"no {REVIEW}: `make .venv/.installed-review`"
    folder = tmp_path_factory.mktemp("site")
    made = pipeline(folder)
    command = [str(REVIEW), "-m", "tools.review.serve", "data/clips", "data/transcripts", "data/wav", "reports/ledger"]
    # Gradio would obey these and let other machines in.
    env = os.environ | {"PYTHONPATH": str(ROOT), "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SHARE": "True", "GRADIO_ALLOWED_PATHS": "/"}
    run_curate(folder)
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/[0-9a-f]{32}/", line)
    assert found, line
    yield Site(folder, made, process, found.group())
    process.send_signal(signal.SIGHUP)  # its terminal is closed
    assert process.wait(30) == 129
    assert list((folder / ".cache").glob("page-*")) == []
    assert not (folder / ".gradio").exists()


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
    page.wait("#clip-sound time", "0:01")
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
    page.wait("#rejected-sound time", "0:01")  # after the first key it plays without another
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


def test_only_this_machine_can_connect(site: Site) -> None:
    addresses = [each.laddr.ip for each in psutil.Process(site.process.pid).net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert addresses == ["127.0.0.1"]
    rebound = urllib.request.Request(site.address, headers={"Host": "evil.example"})
    assert status(rebound) == 400


def test_only_who_has_the_address_can_listen_or_edit(site: Site) -> None:
    token = site.address.split("/")[-2]
    paths = [
        "",
        "config",
        "gradio_api/file=x",
        "gradio_api/queue/join",
        "x/" + token,
        token,
        token[:-1] + "/",
        token[:-1] + "0/",
        token.upper() + "/",
    ]
    assert {path: status(urllib.request.Request(site.origin + path)) for path in paths} == dict.fromkeys(paths, 401)
    assert status(urllib.request.Request(site.address)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_foreign_pages_are_refused(site: Site, headers: dict[str, str]) -> None:
    for path, data in (("", None), ("gradio_api/queue/join", b"{}")):
        assert status(urllib.request.Request(site.address + path, data=data, headers=headers)) == 403


def test_no_other_page_may_frame_it(site: Site) -> None:
    for path in ("", "config", "assets/none.js"):
        try:
            answer = urllib.request.urlopen(site.address + path, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        assert answer.headers["X-Frame-Options"] == "DENY" and "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["gradio_api/upload", "upload", "gradio_api/upload/", "gradio_api/process_recording", "gradio_api/component_server", "login"]
)
def test_no_file_can_be_sent(site: Site, path: str) -> None:
    copies = site.folder / ".cache"
    before = sorted(copies.rglob("*"))
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.html"\r\n\r\n<script>\r\n--x--\r\n'
    request = urllib.request.Request(site.address + path, data=form, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert status(request) == 403
    assert sorted(copies.rglob("*")) == before


def test_a_large_request_is_refused_before_it_is_read(site: Site) -> None:
    connection = http.client.HTTPConnection(site.origin.split("/")[2], timeout=30)
    connection.putrequest("POST", f"/{site.address.split('/')[-2]}/gradio_api/queue/join")
    connection.putheader("Content-Length", str(2 << 20))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("path", ["notes/page.html", "c.csv", "data/transcripts/manifest.jsonl", "params.yaml", "/etc/passwd"])
def test_only_opened_sounds_can_be_fetched(site: Site, path: str) -> None:
    assert status(urllib.request.Request(f"{site.address}gradio_api/file={site.folder / path}")) == 403


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


def status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
