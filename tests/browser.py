"""A real headless Chromium and what a person does with a Gradio page in it."""

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

PATIENCE_S = 180.0  # a busy machine of two cores; nothing waits longer than it must


class Browser:
    """One window. Elements are named by CSS selectors, of which the first that can be seen counts."""

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
        """The words of an element; of a field, what it holds."""
        found = self.see(selector)
        return str(found.get_attribute("value") if found.tag_name in ("textarea", "input") else found.text)

    def wait(self, selector: str, holds: str) -> None:
        """Until an element's text holds `holds`."""
        self.until(lambda: holds in self.text(selector), f"{holds!r} in {selector}")

    def press(self, key: str) -> None:
        """A key on the page, or in the field that has the focus."""
        self.driver.switch_to.active_element.send_keys(key)

    def write(self, words: str) -> None:
        """Replace what stands in the field that has the focus."""
        self.press(Keys.CONTROL + "a")
        self.press(words)

    def script(self, words: str) -> Any:
        return self.driver.execute_script(words)

    def requests(self) -> set[str]:
        """Addresses that the page has asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}

    def until(self, seen: Callable[[], Any], what: str) -> Any:
        """Wait for a true value; elements may be drawn anew meanwhile."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                if found := seen():
                    return found
            except StaleElementReferenceException:
                continue
            time.sleep(0.05)
        raise WebDriverException(f"waited {PATIENCE_S:.0f} s in vain for {what}")
