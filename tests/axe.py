"""axe-core, which finds faults in accessibility; fetched from npm once, by name and hash."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Browser
from voz.pipeline import files

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"  # of axe.min.js
FOLDER = Path(__file__).parent.parent / ".cache" / "axe"
REPORT = """
const done = arguments[arguments.length - 1];
axe.run(document, { resultTypes: ["violations"] }).then((found) =>
  done(found.violations.flatMap((each) => each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 200)}`))));
"""


def source() -> str:
    """axe-core's script. Skips the test where there is no npm or no network."""
    script = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm: it fetches axe-core")
        FOLDER.mkdir(parents=True, exist_ok=True)
        options = ["--prefix", str(FOLDER), "--ignore-scripts", "--no-audit", "--no-fund", "--no-save"]
        done = subprocess.run([npm, "install", *options, f"axe-core@{VERSION}"], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot fetch axe-core: {done.stderr.strip()[-200:]}")
    assert files.hash_file(script) == SHA256
    return script.read_text(encoding="utf-8")


def violations(browser: Browser, script: str) -> list[str]:
    """What axe-core finds wrong with the page as it looks now."""
    browser.script(script)
    found: Any = browser.driver.execute_async_script(REPORT)
    return [str(each) for each in found]
