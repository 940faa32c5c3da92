"""The sessions that docs/cli shows of profiles and of signing in, as they stand there."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sign_in_server import SignInServer

PAGES = Path(__file__).parents[3] / "docs" / "cli"
PROMPT = re.compile(r"^(Enter .*?: |Number or name .*?: )(.*)$", re.MULTILINE)


class Step(NamedTuple):
    """One command line, and what it says: `…` stands for anything."""

    words: list[str]
    said: str


def steps(page: str) -> Iterator[Step]:
    for block in re.findall(r"^```console\n(.*?)^```$", (PAGES / page).read_text("utf-8"), re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, said = part.partition("\n")
            yield Step(shlex.split(line), said)


def check(step: Step, dagy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = "".join(f"{answer}\n" for _, answer in PROMPT.findall(step.said))
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with monkeypatch.context() as patch:
        while "=" in step.words[0]:
            patch.setenv(*step.words.pop(0).split("=", 1))
        said = dagy(*step.words[1:])
    shown = said.stderr.splitlines()[:1] + said.stdout.splitlines() + said.stderr.splitlines()[1:]
    wanted = re.sub(r"(: )\n", r"\1", PROMPT.sub(r"\1", step.said))  # answers are typed, so they do not come from us
    pattern = re.escape(aligned(wanted)).replace("…", r"[\s\S]*")
    assert re.fullmatch(pattern, aligned("".join(f"{line}\n" for line in shown))), f"$ {step.words}\n{said}"


def aligned(text: str) -> str:
    """Columns as wide as what stands in them on this machine are no difference."""
    return re.sub(" {2,}", "  ", text)


def test_the_session_with_profiles(dagy: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list(steps("profiles.md"))

    assert len(shown) == 6
    for step in shown:
        check(step, dagy, monkeypatch)


def test_the_session_with_a_sign_in(
    server: SignInServer, browser: Any, dagy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser("sign-in")
    shown = [step for step in steps("signing-in.md") if step.words[1] != "users"]  # an admin's: test_users_and_audit.py

    assert [step.words[1] for step in shown] == ["login", "whoami", "logout"]
    for step in shown:
        check(step, dagy, monkeypatch)
