"""A person with Chromium, to be named in BROWSER: opens the page, types, clicks, and writes down what there was to see.

Driven by chromedriver over its plain HTTP protocol (W3C WebDriver). BROWSING is the file that says what to do (`Deeds`,
as JSON); what was seen (`Seen`) is written beside it. Nothing it starts outlives it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import urllib3

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--window-size=800,600",
]  # fmt: skip
PATIENCE_S = 60
CHAIN_END = 0x20000000  # of Chromium's ui::PageTransition


@dataclass
class Deeds:
    """What to do: follow the link of the first page when it is `asks_first`, run `script`, fill in `forms`, each by the
    names of its fields, and click, on the last page `button`. `passwords` are short for as many forms.
    """

    email: str = "a@example.com"
    passwords: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    button: str = "#sign-in"
    script: str = ""
    asks_first: bool = False


@dataclass
class Seen:
    """The last page, as it was shown. `back` is where the back button leads, `console` what the browser complained of.
    Of the addresses in its own record, `history` are those that it shows and `hops` those that only led there.
    """

    url: str
    title: str
    text: str
    border: str
    entries: int
    back: str
    console: list[str]
    history: list[str] = field(default_factory=list)
    hops: list[str] = field(default_factory=list)


def is_here() -> bool:
    return shutil.which("chromium") is not None and shutil.which("chromedriver") is not None


class WebDriverError(Exception):
    """What chromedriver could not do, in its own words."""


class Browser:
    """One session of a Chromium that nobody has used before."""

    def __init__(self, driver: str, profile: Path) -> None:
        self._http, self._driver = urllib3.PoolManager(retries=False, timeout=PATIENCE_S), driver
        options = {"binary": shutil.which("chromium"), "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def get(self, what: str) -> Any:
        return self._call("GET", f"{self._session}/{what}")

    def do(self, what: str, **values: Any) -> Any:
        return self._call("POST", f"{self._session}/{what}", values)

    def element(self, css: str) -> str:
        (element,) = self.do("element", using="css selector", value=css).values()
        return f"element/{element}"

    def run(self, script: str) -> Any:
        return self.do("execute/sync", script=script, args=[])

    def click(self, css: str) -> None:
        """Click, and wait for the page that it leads to: the click itself may be over before that is there."""
        self.run("window.isOld = true")
        self.do(f"{self.element(css)}/click")
        self.wait_for("!window.isOld && document.readyState === 'complete'")

    def wait_for(self, condition: str) -> None:
        """Until it holds, on whatever page there is by then."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(WebDriverError):  # the page went away while it was asked
                if self.run(f"return Boolean({condition})"):
                    return
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.02)

    def close(self) -> None:
        self._call("DELETE", self._session)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = self._http.request(
            method, self._driver + path, body=data, headers={"Content-Type": "application/json"}
        )
        value = json.loads(answer.data)["value"]
        if answer.status != 200:
            raise WebDriverError(f"{method} {path}: {value['error']}: {value['message']}")
        return value


@contextlib.contextmanager
def driver() -> Iterator[str]:
    """The address of a chromedriver on a free port."""
    process = subprocess.Popen(
        ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "successfully on port" in line:
                yield f"http://127.0.0.1:{line.rstrip().rstrip('.').rpartition(' ')[2]}"
                return
        raise RuntimeError("chromedriver did not start")
    finally:
        process.terminate()
        process.communicate()


def sign_in(browser: Browser, url: str, deeds: Deeds) -> Seen:
    browser.do("url", url=url)
    if deeds.asks_first:
        browser.click("a")
    if deeds.script:
        browser.run(deeds.script)
    forms = deeds.forms or [{"email": deeds.email, "password": password} for password in deeds.passwords or [""]]
    for number, form in enumerate(forms, 1):
        for name, text in form.items():
            browser.do(f"{browser.element(f'[name={name}]')}/value", text=text)
        browser.click(deeds.button if number == len(forms) else "button")
    seen = Seen(
        url=browser.get("url"),
        title=browser.get("title"),
        text=browser.get(f"{browser.element('body')}/text"),
        border=browser.get(f"{browser.element('main')}/css/border-top-width"),
        entries=browser.run("return history.length"),
        back="",
        console=[entry["message"] for entry in browser.do("se/log", type="browser")],
    )
    if shot := os.environ.get("BROWSING_SHOT"):
        Path(shot).write_bytes(base64.b64decode(browser.get("screenshot")))
    browser.do("back")
    seen.back = browser.get("url")
    return seen


def recorded(profile: Path) -> Iterator[tuple[str, bool]]:
    """Each visit, and whether it was the end of its chain of redirects: the history page shows no others."""
    with contextlib.closing(sqlite3.connect(profile / "Default" / "History")) as history:
        for url, transition in history.execute(
            "select urls.url, transition from visits join urls on visits.url = urls.id"
        ):
            yield url, bool(transition & CHAIN_END)


def main(url: str) -> None:
    task = Path(os.environ["BROWSING"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    task.with_suffix(".pid").write_text(str(os.getpid()))
    deeds = Deeds(**json.loads(task.read_text()))
    with tempfile.TemporaryDirectory(prefix="dagy-chromium-", ignore_cleanup_errors=True) as folder:
        profile = Path(folder) / "profile"
        os.environ["HOME"] = folder
        with driver() as address:
            browser = Browser(address, profile)
            try:
                seen = sign_in(browser, url, deeds)
            finally:
                browser.close()
        for address, is_shown in recorded(profile):
            (seen.history if is_shown else seen.hops).append(address)
    half = task.with_suffix(".half")
    half.write_text(json.dumps(asdict(seen)))
    half.rename(task.with_suffix(".seen"))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception:
        Path(os.environ["BROWSING"]).with_suffix(".failed").write_text(traceback.format_exc())
        raise
