"""A headless Chromium, driven as a person would use a Gradio page."""

import json
import shutil
import time
from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

TIMEOUT_S = 180.0  # for a busy machine with two cores; every wait ends as soon as it can


class Browser:
    """One window. A CSS selector means the first visible element that matches."""

    def __init__(self) -> None:
        options = ChromeOptions()
        found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
        assert found, "no Chromium: `python -m tools.system --install chromium chromium-driver`"
        options.binary_location = found[0]
        for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--mute-audio", "--window-size=1200,1000"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))

    def see(self, selector: str) -> WebElement:
        """The first visible element."""

        def visible() -> WebElement | None:
            return next((each for each in self.driver.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()), None)

        return self.until(visible, selector)

    def text(self, selector: str) -> str:
        """The text of an element, or the value of a field."""
        found = self.see(selector)
        return str(found.get_attribute("value") if found.tag_name in ("textarea", "input") else found.text)

    def wait(self, selector: str, holds: str) -> None:
        """Wait until an element's text contains `holds`."""
        self.until(lambda: holds in self.text(selector), f"{holds!r} in {selector}")

    def press(self, key: str) -> None:
        """Press a key, in the field that has the focus if there is one."""
        self.driver.switch_to.active_element.send_keys(key)

    def write(self, words: str) -> None:
        """Replace the text of the field that has the focus."""
        self.press(Keys.CONTROL + "a")
        self.press(words)

    def script(self, words: str) -> Any:
        return self.driver.execute_script(words)

    def requests(self) -> set[str]:
        """URLs that the page has requested since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}

    def until(self, seen: Callable[[], Any], what: str) -> Any:
        """Wait for a true value. An element that the page replaces meanwhile is looked up again."""
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            try:
                if found := seen():
                    return found
            except StaleElementReferenceException:
                continue
            time.sleep(0.05)
        raise WebDriverException(f"no {what} after {TIMEOUT_S:.0f} s")
