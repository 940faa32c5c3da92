"""Laws: whatever is typed, and whatever stands in the files, the answer comes soon, is one of ours, and changes no file
that it need not.

`DAGY_ANY_LINES` and `DAGY_ANY_FILES` say how many lines, and how many files of each kind, are tried; `.ci/run` tries
5,000 and 1,000.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dagy_cli.exit_codes import ExitCode
from dagy_cli.root import root
from dagy_cli.tree import Node, walk

LINES = int(os.environ.get("DAGY_ANY_LINES", 250))
FILES = int(os.environ.get("DAGY_ANY_FILES", 100))
LONGEST_S = 20.0
LAW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}

# --- command lines ------------------------------------------------------------------------------------------

NODES = {" ".join(node.words): node for node in walk(root)}
CARRIED_OUT = (
    "build", "run", "logs", "flows", "deployments", "schedules", "runs", "keys", "config", "whoami", "logout", "help",
    "init", "completion", "clean", "status", "packages",
)  # fmt: skip
"""Of the others, lines are only tried that cannot be meant: they start servers, wait for browsers or ask AWS."""
WRITING = ("build", "run", "config", "init", "completion", "clean", "logout", "runs result")
VALUES = [
    "x", "", "a=b", "=", "json", "csv", "-1", "0", "7", "99999999999999999999", "1e999", "nan", "a:b", ":", "x.py:f",
    "real.py:f", "real.py", "no.zip", "real.zip", "../..", "/", "dev", "SUCCEEDED", "nano", "2026-03-04", "24h",
    "0 6 * * *",
    "{}", "[", "💥", "\x00", "\udcff", "-", "--", "@daily", "a" * 5_000,
]  # fmt: skip
NOISE = ["--=", "---", "--no-such", "-x", "--debug=1", "--version", "--help", "rnu", "lst"]
REAL = "from dagy import flow, task\n@task\ndef t(n):\n    return n\n@flow\ndef f(n: int = 1):\n    return t(n)\n"


def options_of(node: Node) -> list[str]:
    params = node.command.get_params(node.ctx)
    return [name for p in params if isinstance(p, click.Option) for name in (*p.opts, *p.secondary_opts)]


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command of the tree with options of its own and of others, values, and nonsense, in any order."""
    node = draw(st.sampled_from(list(NODES.values())))
    words = st.sampled_from([*VALUES, *NOISE]) | st.text(max_size=8)
    mine, others = st.sampled_from(options_of(node) or ["--help"]), st.sampled_from(ALL_OPTIONS)
    rest = draw(st.lists(st.one_of(mine, mine, st.sampled_from(VALUES), words, others), max_size=6))
    line = [*node.words, *rest] if draw(st.integers(0, 9)) else [*rest, *node.words]
    if not " ".join(node.words).startswith(CARRIED_OUT) or not set(line) & set(node.words):
        at = draw(st.integers(1, len(line)))
        line[at:at] = ["--no-such", "--no-such"]  # the first may be taken for the value of an option
    return line


ALL_OPTIONS = sorted({name for node in NODES.values() for name in options_of(node)})


@contextmanager
def ends_soon() -> Iterator[None]:
    """A command that hangs fails its test, instead of the whole suite."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"no answer within {LONGEST_S:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def standing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file there but locks, with its size and when it was written."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(".lock"):
                about = (Path(where) / name).stat()
                found[f"{where}/{name}"] = (about.st_size, about.st_mtime_ns)
    return found


def assert_answered(said: Any, *, may_trace: bool = False) -> None:
    assert said.code in set(ExitCode)
    assert may_trace or "Traceback" not in said.stderr, said.stderr
    assert "defect of Dagy" not in said.stderr, said.stderr
    if said.code:
        assert "Error:" in said.stderr or '"error"' in said.stderr


@settings(max_examples=LINES, **LAW)
@given(line=lines())
@example(line=["dead-letters", "show", "\udcff"])
@example(line=["runs", "list", "--remote", "--flow", "\udcff"])
@example(line=["run", "daily", "--remote", "--param", "day=\udcff"])
@example(line=["run", "daily", "--remote", "--idempotency-key", "\udcff"])
def test_no_command_line_gives_a_traceback_hangs_or_changes_a_file_it_need_not(
    dagy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # as a process has it
    if not Path("real.py").exists():
        Path("real.py").write_text(REAL)
    before = standing(tmp_path)

    with ends_soon():
        said = dagy(*line, expect=None)

    assert_answered(said, may_trace="--debug" in line)
    if said.code == ExitCode.USAGE and "No such option" in said.stderr and '"error"' not in said.stderr:
        assert said.stderr.startswith("Usage: dagy")
    may_write = said.code in (ExitCode.OK, ExitCode.RUN_FAILED) and any(word in line for word in WRITING)
    assert may_write or standing(tmp_path) == before


# --- files --------------------------------------------------------------------------------------------------

CONFIG = (
    "version: 1\ndefault_profile: dev\nprofiles:\n  dev:\n    api_url: http://127.0.0.1:9\n    table_format: plain\n"
    "    confirm: false\n    last_updated: 2026-03-01T12:00:00Z\n"
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("dev"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["version", "default_profile", "profiles", "dev", "api_url", "api_key", "origin", "access_token", "expires_at",
         "table_format", "stage", "confirm", "x"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def mutations(text: bytes) -> st.SearchStrategy[bytes]:
    """The text with a few stretches replaced by other bytes."""

    @st.composite
    def mutate(draw: st.DrawFn) -> bytes:
        broken = bytearray(text)
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, max(0, len(broken) - 1)))
            broken[at : at + draw(st.integers(0, 12))] = draw(st.binary(max_size=12))
        return bytes(broken)

    return mutate()


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)


NOT_ABOUT_THE_FILE = [["help", "exit-codes"], ["runs", "list"], ["schedules", "test", "0 6 * * *"]]


@settings(max_examples=FILES, **LAW)
@given(
    content=mutations(CONFIG.encode()) | ODD.map(lambda value: yaml.safe_dump(value, allow_unicode=True).encode()),
    words=st.sampled_from([["config", "show"], ["config", "show", "--origin"], ["config", "list"],
                           ["config", "use", "dev"], ["config", "delete", "dev"], *NOT_ABOUT_THE_FILE]),
)  # fmt: skip
def test_no_configuration_gives_a_traceback_or_is_changed_by_reading(
    dagy: Any, home: Path, content: bytes, words: list[str]
) -> None:
    put(home / "config.yaml", content)

    with ends_soon():
        said = dagy(*words, expect=None)

    assert_answered(said)
    assert said.code in (ExitCode.OK, ExitCode.USAGE, ExitCode.NOT_FOUND)
    if words in NOT_ABOUT_THE_FILE:
        assert said.code == ExitCode.OK, "facts that have nothing to do with the file are still shown"
    if words != ["config", "use", "dev"] or said.code:
        assert (home / "config.yaml").read_bytes() == content


@pytest.fixture
def credentials(stage: Any, home: Path) -> bytes:
    """A file with a sign-in beside the key of the stage."""
    path = home / "credentials"
    full = {
        **json.loads(path.read_text()),
        "access_token": "a.b.c",
        "expires_at": 4102444800,
        "user_email": "me@example.com",
        "origin": stage.url,
    }
    return json.dumps(full).encode()


@settings(max_examples=FILES, **LAW)
@given(data=st.data(), words=st.sampled_from([["whoami"], ["flows", "list"], ["config", "show"], ["keys", "list"]]))
def test_no_credentials_give_a_traceback_or_are_changed_by_reading(
    dagy: Any, home: Path, credentials: bytes, data: st.DataObject, words: list[str]
) -> None:
    content = data.draw(mutations(credentials) | ODD.map(lambda value: json.dumps(value).encode()))
    put(home / "credentials", content)

    with ends_soon():
        said = dagy(*words, expect=None)

    assert_answered(said)
    assert said.code in (ExitCode.OK, ExitCode.USAGE, ExitCode.AUTHENTICATION)
    assert (home / "credentials").read_bytes() == content


# --- questions ----------------------------------------------------------------------------------------------


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
