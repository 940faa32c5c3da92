"""`dagy config` alone: what it asks, what it writes, and that nothing can be left half-written."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import stat
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tabulate import tabulate_formats

from dagy.config import read_config, write_profile
from dagy.credentials import read_credentials, save_api_key

DAGY = Path(sys.executable).parent / "dagy"
API = "https://api.example.com"


@pytest.fixture
def wizard(dagy: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`dagy config` with these lines typed; then the input ends."""

    def run(*lines: str, words: tuple[str, ...] = (), expect: int | None = 0) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return dagy("config", *words, expect=expect)

    return run


def stored(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((home / "config.yaml").read_text())
    return found


# --- on a terminal ------------------------------------------------------------------------------------------


class Terminal:
    """A process on a terminal of its own; `transcript` is what a person would see."""

    def __init__(self, *words: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [DAGY, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # else Ctrl+C is only a letter
        )
        os.close(slave)
        self.transcript = ""

    def type_after(self, prompt: str, text: str) -> None:
        self.read(until=prompt)
        os.write(self.master, f"{text}\n".encode())

    def read(self, *, until: str | None = None) -> str:
        start = len(self.transcript)
        while until is None or until not in self.transcript[start:]:
            assert select.select([self.master], [], [], 30)[0], f"silence after:\n{self.transcript}"
            try:
                data = os.read(self.master, 4096)
            except OSError:  # how Linux says that the other end is closed
                data = b""
            if not data:
                assert until is None, f"{until!r} was never said:\n{self.transcript}"
                break
            self.transcript += data.decode().replace("\r\n", "\n")
        return self.transcript

    def close(self) -> int:
        try:
            self.read()
            return self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.master)


def test_the_session_of_the_reference(home: Path) -> None:
    terminal = Terminal("config")
    terminal.type_after("Enter profile name: ", "dev")
    terminal.type_after("Enter Dagy API URL: ", "https://api.dev.dagy.io")
    terminal.type_after("[Use default (heavy_grid)]: ", "")

    assert terminal.close() == 0
    lines = terminal.transcript.splitlines()
    assert lines[:5] == [
        "No profiles found. Creating the first profile.",
        "Enter profile name: dev",
        "Enter Dagy API URL: https://api.dev.dagy.io",
        "Select table format:",
        "> Use default (heavy_grid)",
    ]
    shown = [re.findall(r"(\d+)\) (\S+)", line) for line in lines[5:-2]]
    assert len(shown) <= 16, "the question stays in sight on a terminal of 24 lines"
    assert [name for _, name in sorted((int(n), name) for line in shown for n, name in line)] == tabulate_formats
    assert lines[-1] == "Configuration saved."
    assert stored(home) == {
        "version": 1,
        "profiles": {
            "dev": {
                "api_url": "https://api.dev.dagy.io",
                "table_format": "heavy_grid",
                "last_updated": stored(home)["profiles"]["dev"]["last_updated"],
            }
        },
        "default_profile": "dev",
    }
    assert stat.S_IMODE((home / "config.yaml").stat().st_mode) == 0o600


def test_ctrl_c_leaves_everything_as_it_was(home: Path) -> None:
    terminal = Terminal("config")
    terminal.type_after("Enter profile name: ", "dev")
    terminal.type_after("Enter Dagy API URL: ", "\x03")

    assert terminal.close() == 130
    assert "Interrupted" in terminal.transcript
    assert not (home / "config.yaml").exists()


# --- the menu -----------------------------------------------------------------------------------------------


@pytest.fixture
def two(home: Path) -> Path:
    write_profile("dev", api_url=API, app_url="https://app.example.com", stage="dev")
    write_profile("prod", api_url="https://prod.example.com", table_format="plain")
    return home


def test_profiles_are_offered_with_a_new_one_and_a_way_out(two: Path, wizard: Any) -> None:
    before = (two / "config.yaml").read_bytes()

    said = wizard("")

    assert said.stdout.splitlines()[:5] == [
        "Select a profile:",
        "> Exit",
        f"  1) dev  {API}  (default)",
        "  2) prod  https://prod.example.com",
        "  3) Create new profile",
    ]
    assert said.stdout.endswith("No changes.\n")
    assert (two / "config.yaml").read_bytes() == before


@pytest.mark.parametrize("first", ["1", "dev"])
@pytest.mark.parametrize("second", ["1", "Edit", "edit"])
def test_editing_asks_for_url_and_table_format_and_keeps_the_rest(
    two: Path, wizard: Any, first: str, second: str
) -> None:
    wizard(first, second, "https://new.example.com", "simple")

    profile = read_config().profiles["dev"]
    assert (profile.api_url, profile.table_format) == ("https://new.example.com", "simple")
    assert (profile.app_url, profile.stage) == ("https://app.example.com", "dev")


def test_empty_lines_keep_what_is_there(two: Path, wizard: Any) -> None:
    said = wizard("prod", "edit", "", "")

    assert "Enter Dagy API URL [https://prod.example.com]: " in said.stdout
    assert "> Keep plain\n" in said.stdout
    profile = read_config().profiles["prod"]
    assert (profile.api_url, profile.table_format) == ("https://prod.example.com", "plain")


def test_another_profile_can_be_made_the_default(two: Path, wizard: Any) -> None:
    assert wizard("prod", "Set as default").stdout.endswith("Configuration saved.\n")
    assert read_config().default_profile == "prod"


@pytest.mark.parametrize("answer, is_there", [("", True), ("n", True), ("y", False), ("yes", False)])
def test_deleting_asks_and_forgets_the_key_too(two: Path, wizard: Any, answer: str, is_there: bool) -> None:
    save_api_key("prod", "dgy_prod", api_url="https://prod.example.com")

    said = wizard("prod", "delete", answer)

    assert "Forget the profile prod and its API key? [y/N]: " in said.stdout
    assert said.stdout.endswith("No changes.\n" if is_there else "Deleted prod\n")
    assert ("prod" in read_config().profiles) is is_there
    assert ("prod" in read_credentials().api_keys) is is_there


@pytest.mark.parametrize("answer, default", [("", "dev"), ("y", "stage")])
def test_a_new_profile_is_the_default_only_when_that_is_wanted(
    two: Path, wizard: Any, answer: str, default: str
) -> None:
    wizard("3", "stage", "https://stage.example.com", "7", answer)

    assert read_config().default_profile == default
    assert read_config().profiles["stage"].table_format == tabulate_formats[6]


def test_a_new_profile_does_not_overwrite_one_that_exists(two: Path, wizard: Any) -> None:
    said = wizard("3", "dev", "dev2", "https://b.example.com", "", "")

    assert "Profile 'dev' exists. Give another name" in said.stderr
    assert read_config().profiles["dev"].api_url == API
    assert "dev2" in read_config().profiles


def test_the_profile_of_the_option_is_chosen_already(two: Path, wizard: Any) -> None:
    wizard("Set as default", words=("--profile", "prod"))
    assert read_config().default_profile == "prod"

    assert "Profiles: dev, prod." in wizard(words=("--profile", "nope"), expect=5).stderr


def test_names_that_differ_only_in_case_are_told_apart(home: Path, wizard: Any) -> None:
    write_profile("Dev", api_url=API)
    write_profile("dev", api_url=API)

    wizard("dev", "edit", "https://lower.example.com", "")
    wizard("Dev", "EDIT", "https://upper.example.com", "")

    assert [read_config().profiles[name].api_url for name in ("dev", "Dev")] == [
        "https://lower.example.com",
        "https://upper.example.com",
    ]


@pytest.mark.parametrize("name", ["1", "Create", "Exit"])
def test_profiles_with_awkward_names_can_be_chosen_by_number(home: Path, wizard: Any, name: str) -> None:
    write_profile(name, api_url=API)
    write_profile("Zoo", api_url=API)

    wizard("1", "edit", "https://new.example.com", "")

    assert read_config().profiles[name].api_url == "https://new.example.com"


# --- answers that cannot be used ----------------------------------------------------------------------------


def test_localhost_is_asked_about(home: Path, wizard: Any) -> None:
    said = wizard("dev", "http://localhost:8080", "n", "http://127.0.0.1:1/v1", "y", "")

    assert "http://localhost:8080 is on this machine only. Use it? [y/N]: " in said.stdout
    assert read_config().profiles["dev"].api_url == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    "url",
    ["api.example.com", "ftp://a.example", "https://", "https://a b", "https://a..b", "https://a:port", "https://[::1",
     "https://a\x1b[31m", "https://-./x y"],
)  # fmt: skip
def test_a_url_that_is_none_is_asked_for_again(home: Path, wizard: Any, url: str) -> None:
    said = wizard("dev", url, API, "")

    assert f"Invalid URL {url!r}. A URL starts with http:// or https:// and names a host." in said.stderr
    assert read_config().profiles["dev"].api_url == API


@pytest.mark.parametrize("lines", [["", "", ""], ["x", "99", "-1"], ["dev", "?", "?", "?"], ["3", "a b", "é", "../x"]])
def test_a_few_bad_answers_end_it_without_a_change(two: Path, wizard: Any, lines: list[str]) -> None:
    before = (two / "config.yaml").read_bytes()

    said = wizard(*lines, expect=None)

    assert said.code == (0 if lines[0] == "" else 2)
    assert (two / "config.yaml").read_bytes() == before
    if said.code:
        assert "after 3 tries; nothing was written." in said.stderr


@pytest.mark.parametrize("lines", [[], ["dev"], ["dev", API], ["dev", "http://localhost"]])
def test_when_the_input_ends_so_does_it(home: Path, wizard: Any, lines: list[str]) -> None:
    said = wizard(*lines, expect=2)

    assert "Error: Nobody answers '" in said.stderr
    assert not (home / "config.yaml").exists()


@pytest.mark.parametrize("line", ["", "x", "y", "dev"])
@pytest.mark.parametrize("is_first", [True, False])
def test_the_same_line_for_ever_ends_it(home: Path, line: str, is_first: bool) -> None:
    if not is_first:
        write_profile("dev", api_url=API)
    endless = f"yes '{line}' | timeout 50 {DAGY} config; exit ${{PIPESTATUS[1]}}"

    done = subprocess.run(["/bin/bash", "-c", endless], capture_output=True, text=True, timeout=60)

    assert done.returncode in (0, 2)  # 0: the empty line is the way out
    assert "Traceback" not in done.stderr
    assert set(read_config().profiles) == (set() if is_first else {"dev"})


def test_machines_are_not_asked(dagy: Any, home: Path) -> None:
    said = dagy("config", "--json", expect=2)

    assert said.stdout == ""
    assert "asks questions" in said.error["message"]


# --- files that cannot be read ----------------------------------------------------------


def test_a_corrupt_file_is_set_aside_and_that_is_told(home: Path) -> None:
    home.mkdir()
    (home / "config.yaml").write_text("profiles: [")

    done = subprocess.run([DAGY, "config"], input=f"dev\n{API}\n\n", capture_output=True, text=True, timeout=60)

    (aside,) = home.glob("config.bak-*.yaml")
    assert done.returncode == 0
    assert re.search(r"config\.yaml: line \d\nIt will be set aside as config\.bak-<timestamp>\.yaml", done.stderr)
    assert f"it is {aside} now" in done.stderr
    assert aside.read_text() == "profiles: ["
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert list(read_config().profiles) == ["dev"]


def test_a_corrupt_file_stays_where_it_is_until_there_is_a_new_one(home: Path, wizard: Any) -> None:
    home.mkdir()
    (home / "config.yaml").write_text("profiles: [")

    wizard("dev", expect=2)

    assert [path.name for path in home.iterdir()] == ["config.yaml"]
