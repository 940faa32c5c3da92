"""Laws: whatever is typed, and whatever stands in the files, the answer is one of ours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagy_cli.exit_codes import ExitCode
from dagy_cli.root import SECTIONS

NAMES = [name for section in SECTIONS.values() for name in section if name not in ("infra", "local", "dev", "doctor")]
VERBS = [
    "list",
    "show",
    "create",
    "cancel",
    "revoke",
    "pause",
    "delete",
    "events",
    "result",
    "set",
    "use",
    "exit-codes",
]
OPTIONS = [
    "--profile", "-p", "--format", "--json", "--verbose", "--quiet", "--debug=1", "--no-color", "--help", "--version",
    "--limit", "--status", "--flow", "--remote", "--local", "--last", "--task", "--follow", "--param", "--yes",
    "--tag", "--schedule", "--timezone", "--execution-mode", "--dry-run", "--bucket", "--force", "--name", "--admin",
    "--origin", "--api-url", "--include", "--output-dir", "--timeout", "--wait", "--", "-", "--=", "---",
]  # fmt: skip
VALUES = [
    "x",
    "",
    "a=b",
    "=",
    "json",
    "csv",
    "-1",
    "99999999999999999999",
    "a:b",
    ":",
    "x.py:f",
    "no.zip",
    "../..",
    "\x00",
]
WORDS = st.sampled_from([*VERBS, *OPTIONS, *VALUES]) | st.text(max_size=8)


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(first=st.sampled_from(NAMES) | WORDS, rest=st.lists(WORDS, max_size=5))
def test_no_command_line_gives_a_traceback(dagy: Any, home: Path, first: str, rest: list[str]) -> None:
    said = dagy(first, *rest, expect=None)

    assert said.code in set(ExitCode)
    assert "Traceback" not in said.stderr
    assert "defect of Dagy" not in said.stderr, said.stderr
    if said.code:
        assert "Error:" in said.stderr or '"error"' in said.stderr


CONFIG = (
    "version: 1\ndefault_profile: dev\nprofiles:\n  dev:\n    api_url: http://127.0.0.1:9\n    table_format: plain\n"
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, len(CONFIG) - 1),
    length=st.integers(0, 12),
    new=st.binary(max_size=12),
    words=st.sampled_from([["config", "show"], ["config", "list"], ["help", "exit-codes"], ["runs", "list"]]),
)
def test_no_configuration_gives_a_traceback_or_is_changed_by_reading(
    dagy: Any, home: Path, at: int, length: int, new: bytes, words: list[str]
) -> None:
    text = CONFIG.encode()
    broken = text[:at] + new + text[at + length :]
    home.mkdir(exist_ok=True)
    path = home / "config.yaml"
    path.write_bytes(broken)
    path.chmod(0o600)

    said = dagy(*words, expect=None)

    assert said.code in (0, 2, 5)
    assert "Traceback" not in said.stderr
    assert path.read_bytes() == broken
    if words[0] in ("help", "runs"):
        assert said.code == 0, "facts that have nothing to do with the file are still shown"


@pytest.mark.parametrize(
    "answers", ["", "\n", "bad name\nbad name\nbad name\n", "dev\nnot-a-url\nx\nftp://x\n", "dev\n"]
)
def test_the_wizard_ends_when_nobody_answers_well(dagy: Any, home: Path, monkeypatch: Any, answers: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))

    said = dagy("config", expect=None)

    assert said.code in (2, 130)
    assert not (home / "config.yaml").exists()


def test_the_wizard_writes_the_first_profile(dagy: Any, home: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("dev\nhttps://api.dev.dagy.io\n\n"))

    said = dagy("config")

    assert said.stdout.startswith("No profiles found. Creating the first profile.\n")
    assert said.stdout.endswith("Configuration saved.\n")
    shown = dagy("config", "show", "--json").json
    assert (shown["profile"], shown["api_url"], shown["table_format"]) == (
        "dev",
        "https://api.dev.dagy.io",
        "heavy_grid",
    )
