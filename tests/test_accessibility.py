"""The pages that open from the disk, judged by axe-core: wide and narrow, light and dark, before, within and after the blind test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from stages import report
from stages.synthesize import Params
from tests import axe, report_site
from tests.browser import Browser
from tests.report_site import EVALUATED, HOSTILE, tone
from tests.test_blind import hear_both, start
from tools.compare import compare
from tools.compare.numbers import Change
from tools.revisions import Revision
from voz.metrics import figures
from voz.report import blind, pages, views

pytestmark = pytest.mark.slow
LOOKS = [(1200, "light"), (1200, "dark"), (390, "light"), (390, "dark")]


def report_page(folder: Path) -> str:
    return pages.render(report.TEMPLATE, report.contents(report_site.fill(folder), report.Params(clips=4)))


SETTINGS = Params(temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=1.0, max_cer=0.3, max_tries=3, watermark="none", seed=1)


def compare_page(folder: Path) -> str:
    """As `make compare` fills it, without the voices."""
    names = {"a": "A: HEAD", "b": f"B: {HOSTILE}"}
    players = [views.player(tone(300, 1.0, 24_000), 24_000, name, voice=key) for key, name in names.items()]
    lines = [views.LineView(HOSTILE, players, "take 1 of 2", str(n)) for n in range(3)]
    change = [Change("params.yaml", "train.lr", "0.1", "0.2", "+0.1")]
    values = {
        "sides": [{"key": key, "name": name, "revision": Revision(name, "0" * 40, HOSTILE)} for key, name in names.items()],
        "settings": Params(
            temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=1.0, max_cer=0.3, max_tries=3, watermark="none", seed=1
        ),
        "takes": 2,
        "lines": lines,
        "blind": blind.blind_test(lines, names, seed=1),
        "measures": figures.table(EVALUATED),
        "same_dataset": False,
        "parameters": change,
        "metrics": change,
    }
    return pages.render(compare.TEMPLATE, values)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.driver.quit()


def look(browser: Browser, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})


@pytest.mark.parametrize("make", [report_page, compare_page])
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_no_violations(window: Browser, tmp_path: Path, make: object, width: int, scheme: str) -> None:
    script = axe.source()
    assert callable(make)
    path = tmp_path / "page.html"
    path.write_text(make(tmp_path / "checkout"), encoding="utf-8")
    look(window, width, scheme)
    window.driver.get(path.as_uri())
    window.script("localStorage.clear()")  # the browser has the answers to the same page in another look
    window.driver.get(path.as_uri())
    window.script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert axe.violations(window, script) == []
    start(window)
    hear_both(window)
    assert axe.violations(window, script) == []
    window.press(Keys.ARROW_LEFT)
    window.see("[data-do=finish]:enabled").click()
    window.see("[data-is=tally]")
    assert axe.violations(window, script) == []
    assert window.script("return document.documentElement.scrollWidth") <= width
