"""`make listen`: the real page in a real Chromium, with tiny voices that a second process speaks."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml
from selenium.webdriver.common.keys import Keys

from tests import tiny_voice
from tests.browser import Browser
from tests.review_site import REVIEW, status
from tools.listen import speaker
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
SAID = "Bueno muchachos."


@dataclass
class Site:
    """A folder with voices, in which the page's server runs."""

    folder: Path
    process: subprocess.Popen[str]
    address: str


def voices(folder: Path) -> Path:
    """A base and a voice."""
    (folder / "models").mkdir(parents=True)
    tiny_voice.make(folder / "models/voice", stop_bias=1.5)
    tiny_voice.make(folder / "models/base", stop_bias=1.0)
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"base": "models/base"}
    values["compute"]["device"] = "cpu"
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    assert REVIEW.exists(), f"no {REVIEW}: `make .venv/.installed-review`"
    folder = voices(tmp_path_factory.mktemp("site") / "checkout")
    command = [str(REVIEW), "-m", "tools.listen.serve", "--python", sys.executable, "--log", "said.jsonl"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder.parent), "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SHARE": "True"}
    env.pop("DVC_ROOT", None)
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/[0-9a-f]{32}/", line)
    assert found, line
    yield Site(folder, process, found.group())
    children = psutil.Process(process.pid).children()
    process.terminate()
    assert process.wait(30) == 143
    assert not any(each.is_running() for each in children)
    assert not list((folder / ".cache").glob(".tmp-*"))  # the sounds are gone


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.driver.quit()


@pytest.fixture
def page(site: Site, window: Browser) -> Browser:
    window.requests()
    window.driver.get(site.address)
    window.see("#text textarea").click()
    return window


def test_a_text_is_heard_in_every_voice(site: Site, page: Browser) -> None:
    page.write(SAID)
    page.press(Keys.ENTER)
    for at, name in enumerate(("base", "current voice")):
        page.wait(f"#sound-{at}", name)
        page.see(f"#sound-{at} .play-pause-button")
        page.see(f'#sound-{at} [aria-label="Download"], #sound-{at} a[download]')
    page.see("#again").click()
    page.until(lambda: len((site.folder / "said.jsonl").read_text().splitlines()) == 4, "two more")
    said = [json.loads(line) for line in (site.folder / "said.jsonl").read_text().splitlines()]
    assert [(each["voice"], each["text"], each["seed"]) for each in said] == [
        (name, SAID, seed) for seed in (1, 2) for name in ("base", "current voice")
    ]


def test_a_voice_that_is_not_chosen_is_silent_and_an_unspeakable_text_is_said(site: Site, page: Browser) -> None:
    page.see("#voices input").click()
    page.see("#text textarea").click()
    page.write("<img src=x onerror=window.struck=1> 漢")
    page.press(Keys.ENTER)
    page.wait(".toast-wrap", "does not know")
    assert page.script("return window.struck") is None
    page.see("#text textarea").click()
    page.write("Hola.")
    page.press(Keys.ENTER)
    page.see("#sound-1 .play-pause-button")
    assert not page.driver.find_elements("css selector", "#sound-0 .play-pause-button")


def test_only_this_machine_and_nothing_from_others(site: Site, page: Browser) -> None:
    found = page.requests()
    assert len(found) > 20
    server = site.address.removesuffix("/").rpartition("/")[0] + "/"
    assert not [address for address in found if not address.removeprefix("blob:").startswith((server, "data:"))]
    assert status(urllib.request.Request(server)) == 401  # without the token
    assert status(urllib.request.Request(site.address, headers={"Origin": "http://evil.example"})) == 403
    processes = [psutil.Process(site.process.pid), *psutil.Process(site.process.pid).children(recursive=True)]
    listening = [each.laddr.ip for one in processes for each in one.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]
    assert status(urllib.request.Request(site.address, headers={"Host": "evil.example"})) == 400
    for path in ("params.yaml", "said.jsonl", "models/voice/reference.wav", "/etc/passwd"):
        assert status(urllib.request.Request(f"{site.address}gradio_api/file={site.folder / path}")) == 403


def test_narrow_windows_need_no_sideways_scrolling(page: Browser) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.see("#speak")
        assert page.script("return document.documentElement.scrollWidth") <= 390
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_that_was_said_is_kept(tmp_path: Path) -> None:
    """Without --log no file of the checkout holds the text or any speech. The cache gets what follows from the reference alone."""
    folder = voices(tmp_path / "checkout")
    before = {path for path in folder.rglob("*") if path.is_file()}
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    request = {
        "voice": "base",
        "text": SAID,
        "seed": 1,
        "sampling": {"temperature": 0.7, "top_p": 0.85, "top_k": 50, "repetition_penalty": 1.0},
    }
    wrong = request | {"sampling": request["sampling"] | {"top_p": 2.0}}  # type: ignore[operator]
    env = os.environ | {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "tools.listen.speaker", str(sounds)],
        cwd=folder,
        env=env,
        input="".join(json.dumps(each) + "\n" for each in (request, wrong, request)),
        capture_output=True,
        text=True,
        check=True,
    )
    first, *answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert first["voices"] == ["base", "current voice"] and first["sampling"]["top_p"] == 0.85
    assert [list(each) for each in answers] == [["wav"], ["error"], ["wav"]] and "top_p" in answers[1]["error"]["what"]
    assert (sounds / "1.wav").read_bytes() == (sounds / "3.wav").read_bytes()
    new = {path for path in folder.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(folder / ".cache/conditioning") or path == folder / ".cache/log/conditioning.jsonl" for path in new)
    assert SAID not in done.stderr and SAID not in done.stdout


def test_an_empty_seed_is_an_answer() -> None:
    sampling = {"temperature": 0.7, "top_p": 0.85, "top_k": 50, "repetition_penalty": 5.0}
    with pytest.raises(UserError, match="seed: not a whole number"):
        speaker.parse(json.dumps({"voice": "base", "text": "hola", "seed": None, "sampling": sampling}))


def test_a_missing_voice_is_named(tmp_path: Path) -> None:
    folder = voices(tmp_path / "checkout")
    shutil.rmtree(folder / "models/voice")
    command = [str(REVIEW), "-m", "tools.listen.serve", "--python", sys.executable]
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "models/voice: no voice" in done.stderr and "Traceback" not in done.stderr
