"""What is asked before something changes, what `--dry-run` and `--yes` do, and what production is."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from dagy_cli.root import root
from dagy_cli.tree import walk
from dagy_runtime.messages import StartRun

Write = Callable[..., str]


class Terminal(io.StringIO):
    """A person who types this."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", Terminal(text))


@pytest.fixture
def deployed(dagy: Any, stage: Any, project: Write) -> Any:
    dagy("deploy", f"{project()}:etl")
    return stage


@pytest.fixture
def production(dagy: Any, deployed: Any) -> Any:
    """The profile is production from now on."""
    dagy("config", "set", "dev", "--confirm")
    return deployed


def standing(dagy: Any) -> str:
    status: str = dagy("deployments", "show", "etl", "--json").json["status"]
    return status


# --- what destroys is asked about ---------------------------------------------------------------------------


def test_a_yes_does_it_and_a_no_does_nothing(dagy: Any, deployed: Any, types: Callable[[str], None]) -> None:
    types("n\n")
    declined = dagy("deployments", "delete", "etl", expect=1)
    assert "Delete the deployment etl and its schedule? [y/N]" in declined.stderr
    assert "Error: The answer was no: nothing was done" in declined.stderr
    assert standing(dagy) == "ACTIVE"

    types("y\n")
    assert dagy("deployments", "delete", "etl").stdout == "Deleted etl\n"
    dagy("deployments", "show", "etl", expect=5)


def test_leaving_at_the_question_is_an_interruption(dagy: Any, deployed: Any, types: Callable[[str], None]) -> None:
    types("")
    dagy("deployments", "delete", "etl", expect=130)
    assert standing(dagy) == "ACTIVE"


DESTROYING = [
    pytest.param(["deployments", "delete", "etl"], id="deployments delete"),
    pytest.param(["keys", "revoke", "{key}"], id="keys revoke"),
    pytest.param(["runs", "cancel", "{run}"], id="runs cancel"),
    pytest.param(["users", "remove", "{user}"], id="users remove"),
    pytest.param(["config", "delete", "dev"], id="config delete"),
    pytest.param(["local", "reset"], id="local reset"),
]
CHANGING = [
    pytest.param(["deploy", "{target}", "--tag", "a=b"], id="deploy"),
    pytest.param(["deployments", "pause", "etl"], id="deployments pause"),
    pytest.param(["deployments", "resume", "etl"], id="deployments resume"),
    pytest.param(["dead-letters", "replay", "{letter}"], id="dead-letters replay"),
    pytest.param(["keys", "create", "--name", "ci"], id="keys create"),
    pytest.param(["users", "add", "bob@example.com"], id="users add"),
    pytest.param(["users", "set-role", "{user}", "admin"], id="users set-role"),
    pytest.param(["users", "disable", "{user}"], id="users disable"),
    pytest.param(["users", "enable", "{user}"], id="users enable"),
]


READING = """
    build, dev, logs, flows *, deployments history, deployments list, deployments show, schedules *, packages list,
    packages show, dead-letters list, dead-letters show, runs events, runs inspect, runs list, runs result, runs show,
    runs watch, infra diff, infra outputs, infra status, infra synth, local logs, local status, keys list, users list,
    users show, audit list, config list, config show, status, open, whoami, doctor, help *
"""
STARTING = "run, runs bulk, runs retry"
"""A run can be cancelled: nobody is asked about starting one."""
OURS = "config, config set, config use, login, logout, local start, local stop, init, completion, clean"
"""They change this machine only, and say so; those that remove what cannot be had again are tested here."""


def test_whatever_changes_a_stage_takes_dry_run_and_yes() -> None:
    known = [
        re.escape(name).replace(r"\*", r"[\w-]+")
        for name in re.split(r",\s*", f"{READING.strip()}, {OURS}, {STARTING}")
    ]
    changing = [node for node in walk(root) if node.is_leaf and not re.fullmatch("|".join(known), " ".join(node.words))]

    assert len(changing) > 15
    for node in changing:
        options = {name for param in node.command.get_params(node.ctx) for name in param.opts}
        assert options >= {"--dry-run", "--yes"}, node.words


@pytest.fixture
def filled(dagy: Any, deployed: Any, project: Write) -> Callable[[list[str]], list[str]]:
    """Words of a command, about a run, a key and a flow that exist."""
    run_id = dagy("run", "etl", "--json").json["run_id"]
    key_id = dagy("keys", "create", "--json", "--yes").json["id"]
    user = dagy("users", "add", "ann@example.com", "--json", "--yes").json["email"]
    letter = deployed.bury(StartRun("etl"))
    here = {"run": run_id, "key": key_id, "user": user, "letter": letter, "target": f"{project()}:etl"}
    return lambda words: [word.format(**here) for word in words]


@pytest.mark.parametrize("words", DESTROYING)
def test_where_nobody_can_be_asked_yes_has_to_be_given(dagy: Any, filled: Any, words: list[str]) -> None:
    said = dagy(*filled(words), expect=2)

    assert "There is no terminal to ask on: add --yes." in said.stderr


@pytest.mark.parametrize("words", [*DESTROYING, *CHANGING])
def test_a_dry_run_says_what_would_be_done_asks_nothing_and_does_nothing(
    dagy: Any, deployed: Any, filled: Any, words: list[str], home: Any
) -> None:
    kept = (path for path in home.rglob("*") if path.is_file() and "builds" not in path.parts)  # it does build
    before = {path: path.read_bytes() for path in kept}
    asked = len(deployed.asked)

    said = dagy(*filled(words), "--dry-run", "--json")
    text = dagy(*filled(words), "--dry-run")

    assert said.json["dry_run"] is True
    assert "Would " in text.stdout or " would be " in text.stdout
    assert "Nothing was done: this was a dry run." in text.stderr
    assert {line.split()[0] for line in deployed.asked[asked:]} <= {"GET"}
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "words, kind",
    [
        pytest.param(["deployments", "delete", "nope"], "Deployment", id="a deployment"),
        pytest.param(["deployments", "pause", "nope"], "Deployment", id="a deployment to pause"),
        pytest.param(["keys", "revoke", "nope"], "Key", id="a key"),
        pytest.param(["runs", "cancel", "etl-20260101"], "Run", id="a run"),
        pytest.param(["users", "remove", "nobody@example.com"], "User", id="a user"),
        pytest.param(["dead-letters", "replay", "nope"], "Dead letter", id="a dead letter"),
        pytest.param(["users", "disable", "nobody@example.com"], "User", id="a user to disable"),
        pytest.param(["config", "delete", "nope"], "Profile", id="a profile"),
    ],
)
def test_a_dry_run_of_what_does_not_exist_says_so(dagy: Any, deployed: Any, words: list[str], kind: str) -> None:
    assert f"{kind} not found: {words[-1]}" in dagy(*words, "--dry-run", expect=5).stderr


# --- production ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [*DESTROYING[:4], *CHANGING])
def test_production_wants_its_name_typed(
    dagy: Any, filled: Any, production: Any, types: Callable[[str], None], words: list[str]
) -> None:
    writes = writing(production)
    types("y\n")
    declined = dagy(*filled(words), expect=1)
    assert "? Profile dev is production. Type its name to go on: " in declined.stderr
    assert "Error: 'y' is not 'dev': nothing was done" in declined.stderr
    assert writing(production) == writes

    types("dev\n")
    dagy(*filled(words))
    assert writing(production) > writes


def writing(stage: Any) -> int:
    return sum(not line.startswith("GET ") for line in stage.asked)


@pytest.mark.parametrize("words", [*DESTROYING[:4], *CHANGING])
def test_production_without_a_terminal_wants_yes(dagy: Any, filled: Any, production: Any, words: list[str]) -> None:
    said = dagy(*filled(words), expect=2)
    assert "Profile dev is production. There is no terminal to ask on: add --yes." in said.stderr

    dagy(*filled(words), "--yes")


def test_starting_a_run_in_production_asks_nothing(dagy: Any, production: Any) -> None:
    dagy("run", "etl")


@pytest.mark.parametrize(
    "name, options, is_production",
    [
        pytest.param("prod", [], True, id="a profile named prod"),
        pytest.param("production", [], True, id="a profile named production"),
        pytest.param("eu", ["--stage", "prod"], True, id="a profile of stage prod"),
        pytest.param("eu", ["--confirm"], True, id="any that says so"),
        pytest.param("prod", ["--no-confirm"], False, id="one that says it is not"),
        pytest.param("staging", ["--stage", "staging"], False, id="no other"),
    ],
)
def test_what_production_is(dagy: Any, deployed: Any, name: str, options: list[str], is_production: bool) -> None:
    dagy("config", "set", name, "--api-url", deployed.url, *options)
    key = deployed.key()

    said = dagy("deployments", "pause", "etl", "-p", name, expect=2 if is_production else 3)

    assert (f"Profile {name} is production." in said.stderr) is is_production
    assert key not in said.stderr


def test_a_confirm_that_is_no_answer_is_refused_and_the_file_left_alone(dagy: Any, home: Any) -> None:
    dagy("config", "set", "dev", "--api-url", "https://a.example")
    path = home / "config.yaml"
    path.write_text(path.read_text().replace("api_url:", "confirm: maybe\n    api_url:"))
    before = path.read_text()

    assert "confirm of profile 'dev' must be true or false, got 'maybe'" in dagy("config", "list", expect=2).stderr
    assert path.read_text() == before


def test_the_first_key_of_production_asks_too(dagy: Any, home: Any) -> None:
    said = dagy("keys", "create", "--admin", "--via-aws", "--stage", "prod", expect=2)

    assert "Make the key cli with the role admin? Profile prod is production." in said.stderr
