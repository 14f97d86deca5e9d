"""A real browser without a window: Debian's Chromium, which can reach nothing but loopback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from tests.servers import process

_HANG = 60
# Selenium is given both programs, so that it looks for none.
_ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage"),
    *("--disable-lcd-text", "--font-render-hinting=none", "--hide-scrollbars"),
    *("--force-device-scale-factor=1", "--lang=en-GB"),
    "about:blank",
    # Whatever is asked for by a name is not found.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


class Browser:
    """One window; `asked` is every address that a page of it has requested."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.asked: list[str] = []

    def open(self, url: str) -> str:
        """Go to url; return the text of the page."""
        self.driver.get(url)
        return self.text()

    def text(self) -> str:
        """Return the text of the page, as a person sees it."""
        return str(self.driver.execute_script("return document.body.innerText"))

    def until(self, holds: Callable[[str], bool]) -> None:
        """Return when the text of the page is what it should come to be."""
        WebDriverWait(self.driver, _HANG).until(lambda _: holds(self.text()))

    def read(self, selector: str, attribute: str) -> str:
        """Return what the first such element says there.

        In one call: a page that is live may put another element in its place before the next.
        """
        script = "return document.querySelector(arguments[0])[arguments[1]]"
        return str(self.driver.execute_script(script, selector, attribute))

    def click(self, selector: str, attribute: str) -> str:
        """Click the first such element, and return what it says there."""
        script = (
            "const found = document.querySelector(arguments[0]);"
            "const said = found[arguments[1]]; found.click(); return said"
        )
        return str(self.driver.execute_script(script, selector, attribute))

    def looks(self, width: int, dark: bool = False) -> None:
        """Be a screen of that width, of a person who likes it dark or not."""
        self._command(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", {"features": [scheme]})

    def picture(self, tallest: int = 1_600) -> bytes:
        """Return the page as PNG in base64, down to a height."""
        height = min(
            int(self.driver.execute_script("return document.body.scrollHeight")),
            tallest,
        )
        width = int(self.driver.execute_script("return innerWidth"))
        found = self._command(
            "Page.captureScreenshot",
            {
                "format": "png",
                "captureBeyondViewport": True,
                "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
            },
        )
        return bytes(found["data"], "ascii")

    def listen(self) -> list[str]:
        """Return every address that was asked for since the last time."""
        new = []
        for entry in self.driver.get_log("performance"):  # type: ignore[no-untyped-call]
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                new.append(message["params"]["request"]["url"])
        self.asked += new
        return new

    def _command(self, name: str, parameters: dict[str, Any]) -> Any:
        return self.driver.execute_cdp_cmd(name, parameters)


@contextmanager
def browser() -> Iterator[Browser]:
    """Yield a browser with a profile of its own, of which nothing is left."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.fail(
            "Chromium is not installed: run `make test` as root, or install chromium-driver"
        )
    profile = process.new_folder("chromium", on_disk=True)
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    window = Chrome(options=options, service=Service(driver))
    try:
        yield Browser(window)
    finally:
        window.quit()
        shutil.rmtree(profile, ignore_errors=True)
