"""`dagy dead-letters`: messages that AWS gave up on are listed, shown and replayed."""

from __future__ import annotations

from typing import Any

import pytest

from dagy_runtime.engine.dead_letters import GivenUp, bury
from dagy_runtime.messages import AdvanceRun, FireSchedule, Reconcile, RunTask, StartRun


@pytest.fixture
def deployed(dagy: Any, stage: Any, project: Any) -> Any:
    dagy("deploy", f"{project()}:etl")
    return stage


@pytest.fixture
def failed(dagy: Any, deployed: Any) -> str:
    """A run that failed after its first task."""
    run_id: str = dagy("run", "etl", "--json").json["run_id"]
    deployed.play(run_id, fails_with="no rows")
    return run_id


def test_letters_are_listed_newest_first_and_by_run(dagy: Any, deployed: Any, failed: str) -> None:
    old, new = deployed.bury(AdvanceRun(failed)), deployed.bury(StartRun("etl"))

    header, *rows = (line.split() for line in dagy("dead-letters", "list").stdout.splitlines())

    assert header == ["id", "at", "kind", "run_id", "deployment", "replayed_as"]
    assert {row[0] for row in rows} == {old, new}
    assert [letter["id"] for letter in dagy("dead-letters", "list", "--run", failed, "--json").json] == [old]
    assert len(dagy("dead-letters", "list", "--limit", "1", "--json").json) == 1
    assert dagy("dead-letters", "list", "--run", "etl-x", "--json").json == []


def test_one_is_shown_with_its_message_and_the_reason(dagy: Any, deployed: Any, failed: str) -> None:
    shown = dagy("dead-letters", "show", deployed.bury(AdvanceRun(failed)))

    assert "signal: killed" in shown.stdout and '"kind": "advance-run"' in shown.stdout


def test_a_replay_finishes_the_run_and_says_as_which(dagy: Any, deployed: Any, failed: str) -> None:
    letter_id = deployed.bury(AdvanceRun(failed))

    said = dagy("dead-letters", "replay", letter_id)

    new = dagy("dead-letters", "show", letter_id, "--json").json["replayed_as"]
    assert said.stdout == f"Replayed {letter_id}: {new}\n"
    assert f"dagy runs watch {new} --remote" in said.stderr
    assert dagy("runs", "show", new, "--remote", "--json").json["retry_of"] == failed


def test_a_second_replay_says_who_did_it_before(dagy: Any, deployed: Any) -> None:
    letter_id = deployed.bury(StartRun("etl"))
    first = dagy("dead-letters", "replay", letter_id, "--json").json

    again = dagy("dead-letters", "replay", letter_id)

    when = f"before, at {first['replayed_at']} by {first['replayed_by']}"
    assert again.stdout == f"Replayed {letter_id} {when}: {first['replayed_as']}\n"
    assert (
        f"Would do nothing: it was replayed at {first['replayed_at']}"
        in dagy("dead-letters", "replay", letter_id, "--dry-run").stdout
    )
    assert len(dagy("runs", "list", "--remote", "--json").json) == 1


def test_a_dry_run_says_what_is_kept_and_what_runs_again(dagy: Any, deployed: Any, failed: str) -> None:
    said = dagy("dead-letters", "replay", deployed.bury(RunTask(failed, "load-1", 1)), "--dry-run")

    assert said.stdout == f"Would finish run {failed} with a new one\n"
    assert "  extract-1 kept\n  load-1 runs again: it failed\n" in said.stderr


@pytest.mark.parametrize(
    "message, told",
    [
        pytest.param(StartRun("etl"), "Would replay start-run of etl", id="a start"),
        pytest.param(FireSchedule("etl", "2026-03-04T09:00:00Z"), "Would replay fire-schedule of etl", id="a fire"),
        pytest.param(Reconcile(), "Would replay reconcile", id="a look for lost runs"),
    ],
)
def test_a_dry_run_of_a_message_without_a_run_names_it(dagy: Any, deployed: Any, message: Any, told: str) -> None:
    assert dagy("dead-letters", "replay", deployed.bury(message), "--dry-run").stdout == f"{told}\n"


def test_what_cannot_be_replayed_is_told_beforehand_and_refused(dagy: Any, deployed: Any) -> None:
    going = dagy("run", "etl", "--json").json["run_id"]
    deployed.play(going)
    done = deployed.bury(AdvanceRun(going))
    odd = bury(deployed.ports, GivenUp("RetriesExhausted", "r", 3, "", {"payload": "?"})).id

    assert f"Would be refused: run {going} is SUCCEEDED" in dagy("dead-letters", "replay", done, "--dry-run").stdout
    assert f"Run '{going}' succeeded without this message" in dagy("dead-letters", "replay", done, expect=6).stderr
    assert "Would be refused: it is no message" in dagy("dead-letters", "replay", odd, "--dry-run").stdout
    assert "Not a message of this version" in dagy("dead-letters", "replay", odd, expect=6).stderr


def test_viewers_look_and_do_not_replay(dagy: Any, deployed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    letter_id = deployed.bury(StartRun("etl"))
    monkeypatch.setenv("DAGY_API_KEY", deployed.key("viewer"))

    assert dagy("dead-letters", "show", letter_id, "--json").json["deployment"] == "etl"
    assert "This needs the role 'developer'" in dagy("dead-letters", "replay", letter_id, expect=3).stderr


def test_one_that_is_not_there_is_told(dagy: Any, deployed: Any) -> None:
    for words in (["show", "nope"], ["replay", "nope"]):
        said = dagy("dead-letters", *words, expect=5)
        assert "Dead letter not found: nope" in said.stderr and "`dagy dead-letters list`" in said.stderr
