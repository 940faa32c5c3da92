"""What holds for every command: options anywhere, help, errors, exit codes, formats, start-up weight."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import dagy.core.errors as errors
from dagy.core.errors import APIError, DagyError
from dagy.version import VERSION
from dagy_cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from dagy_cli.lazy import LazyGroup
from dagy_cli.root import SECTIONS, root

EVERY_COMMAND = [name for section in SECTIONS.values() for name in section]
DAGY = Path(sys.executable).parent / "dagy"


def shell(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DAGY, *words], capture_output=True, text=True, timeout=60, **options)


def test_the_version_is_the_installed_one(dagy: Any) -> None:
    assert importlib.metadata.version("dagy") == VERSION
    assert shell("--version").stdout == f"dagy {VERSION}\n"
    assert dagy("--version").stdout == f"dagy {VERSION}\n"
    assert dagy("runs", "--help", "--quiet").code == 0


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["runs", "--help"], ["deploy", "--help"]])
def test_starting_imports_none_of_the_heavy_libraries(words: list[str]) -> None:
    program = f"""
import sys
sys.argv = ["dagy", *{words!r}]
from dagy_cli.main import main
try:
    main()
except SystemExit:
    pass
print("loaded:", *{{name.partition(".")[0] for name in sys.modules}})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    loaded = set(done.stdout.rpartition("loaded:")[2].split())

    heavy = {"boto3", "botocore", "duckdb", "yaml", "tabulate", "rich", "aws_cdk", "urllib3", "moto", "starlette"}
    if words[0].startswith("--"):
        heavy |= {"msgspec", "asyncio"}
    if words in (["--version"], ["--help"]):
        heavy |= {"click", "email"}
    assert not loaded & heavy


def test_every_command_loads_and_says_of_itself_what_the_help_says_of_it() -> None:
    assert isinstance(root, LazyGroup)
    for name, lazy in root.lazy.items():
        command = lazy.load()
        assert command.name == name
        assert command.get_short_help_str(200) == lazy.short_help, name


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found = []
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


def test_every_command_has_help_and_takes_the_global_options(dagy: Any) -> None:
    for path, command in commands(root):  # type: ignore[arg-type]
        said = dagy(*path, "--profile", "x", "--format", "json", "--quiet", "--help")
        assert "Global options:" in said.stdout, path
        assert command.help, path


def test_quiet_leaves_answers_and_errors_and_verbose_tells_more(dagy: Any, home: Path) -> None:
    home.mkdir()
    (home / "config.yaml").write_text("profiles: [")  # so that there is something to tell

    plain, quiet = dagy("runs", "list"), dagy("runs", "list", "--quiet")
    verbose = dagy("--verbose", "runs", "list")

    assert (plain.stderr, quiet.stderr) == ("", "")
    assert plain.stdout == quiet.stdout == verbose.stdout
    assert "Cannot read " in verbose.stderr
    assert "using heavy_grid" in verbose.stderr
    (home / "config.yaml").unlink()
    assert dagy("runs", "show", "--last", "--quiet", expect=5).stderr.startswith("Error: Run not found")
    assert dagy("keys", "create", "--via-aws", "--stage", "dev", "--dry-run", "--quiet").stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ["flows", "list"],
        ["deployments", "list"],
        ["schedules", "list"],
        ["runs", "list", "--remote"],
        ["runs", "show", "abcdefgh"],
        ["logs", "abcdefgh"],
        ["keys", "list"],
        ["config", "show"],
        ["whoami"],
        ["infra", "status"],
        ["run", "etl"],
        ["deploy", "x.py:f", "--yes"],
    ],
    ids=" ".join,
)
def test_a_profile_that_does_not_exist_is_exit_5_on_every_noun(dagy: Any, words: list[str]) -> None:
    said = dagy(*words, "--profile", "nobody", expect=5)

    assert "Profile not found: nobody" in said.stderr
    assert "Make one with: dagy config" in said.stderr


@pytest.mark.parametrize("noun", ["runs", "flows", "deployments", "keys", "help"])
def test_a_noun_alone_prints_its_own_help(dagy: Any, noun: str) -> None:
    said = dagy(noun)

    assert said.stdout.startswith(f"Usage: dagy {noun} ")
    assert said.stderr == ""


def test_dagy_alone_shows_every_command(dagy: Any) -> None:
    shown = dagy().stdout

    assert [name for name in EVERY_COMMAND if not re.search(rf"^  {name} ", shown, re.MULTILINE)] == []


@pytest.mark.parametrize(
    "words, message",
    [
        pytest.param(["rnu"], "No such command 'rnu'. Did you mean 'run'?", id="a mistyped command"),
        pytest.param(["runs", "lst"], "No such command 'lst'. Did you mean 'list'?", id="a mistyped verb"),
        pytest.param(
            ["runs", "list", "--limt", "3"], "No such option '--limt'. Did you mean '--limit'?", id="an option"
        ),
        pytest.param(["runs", "list", "--limit", "x"], "'x' is not a valid integer range", id="a value"),
        pytest.param(["build"], "Missing argument", id="nothing to build"),
        pytest.param(["--verbose", "help", "--quiet"], "--verbose and --quiet exclude each other.", id="contradiction"),
        pytest.param(["help", "--format", "xml"], "'xml' is not one of", id="an unknown format"),
        pytest.param(["logs"], "Give a run id", id="no run"),
        pytest.param(["logs", "abcdefgh", "--last"], "Give a run id", id="two runs"),
        pytest.param(["keys", "create", "--admin", "--role", "viewer"], "contradicts", id="two roles"),
    ],
)
def test_what_is_typed_wrong_is_exit_2_with_what_was_meant(dagy: Any, words: list[str], message: str) -> None:
    said = dagy(*words, expect=2)

    assert message in said.stderr
    assert said.stderr.startswith("Usage: dagy")
    assert said.stdout == ""
    as_json = dagy("--json", *words, expect=2).error if "xml" not in words else {"code": "usage"}
    assert as_json["code"] == "usage"


def test_global_options_work_before_and_after_the_command(dagy: Any) -> None:
    before = dagy("--format", "json", "help", "exit-codes").json
    between = dagy("help", "--json", "exit-codes").json
    after = dagy("help", "exit-codes", "--format=json").json

    assert before == between == after
    assert dagy("--format", "yaml", "help", "exit-codes", "--json").json == after


def test_exit_codes_are_documented_and_never_change() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "ERROR": 1,
        "USAGE": 2,
        "AUTHENTICATION": 3,
        "NETWORK": 4,
        "NOT_FOUND": 5,
        "CONFLICT": 6,
        "INVALID_FLOW": 7,
        "RUN_FAILED": 8,
        "WAIT_TIMED_OUT": 9,
        "INTERRUPTED": 130,
    }
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize(
    "error, code",
    [
        pytest.param(errors.InvalidInput("x"), 2, id="invalid input"),
        pytest.param(errors.ArtifactMismatch("a:1", "b:1"), 2, id="another artifact"),
        pytest.param(errors.InvalidFlow("x"), 7, id="invalid flow"),
        pytest.param(errors.RetryConfigurationError("x"), 7, id="invalid retry settings"),
        pytest.param(errors.NotFound("run", "x"), 5, id="not found"),
        pytest.param(errors.Conflict("x"), 6, id="conflict"),
        pytest.param(errors.TokenExpiredError("2026"), 3, id="expired token"),
        pytest.param(errors.Forbidden("x"), 3, id="forbidden"),
        pytest.param(errors.Unavailable("x"), 4, id="unavailable"),
        pytest.param(errors.RunFailed("r", "FAILED"), 8, id="failed run"),
        pytest.param(errors.TaskFailedError("t", "m"), 8, id="failed task"),
        pytest.param(errors.WaitTimedOut("x", 1), 9, id="timed out"),
        pytest.param(DagyError("x"), 1, id="any other"),
        *[pytest.param(APIError(status, "m"), code, id=f"HTTP {status}") for status, code in
          [(0, 4), (400, 2), (401, 3), (403, 3), (404, 5), (409, 6), (422, 2), (429, 4), (500, 1), (503, 4)]],
        pytest.param(APIError(422, "m", "invalid_flow"), 7, id="HTTP 422 for an invalid flow"),
    ],
)  # fmt: skip
def test_every_kind_of_error_has_its_exit_code(error: DagyError, code: int) -> None:
    assert exit_code_of(error) == code


ROWS = ["help", "exit-codes"]


def test_the_same_facts_in_every_format(dagy: Any) -> None:
    facts = dagy(*ROWS, "--format", "json").json

    assert [json.loads(line) for line in dagy(*ROWS, "--format", "jsonl").stdout.splitlines()] == facts
    assert yaml.safe_load(dagy(*ROWS, "--format", "yaml").stdout) == facts
    assert dagy(*ROWS, "--format", "csv").stdout.splitlines()[:2] == ["code,name,meaning", "0,OK,It worked."]
    assert facts[0] == {"code": 0, "name": "OK", "meaning": "It worked."}


def test_csv_cells_cannot_be_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    from dagy_cli.output import Output
    from dagy_cli.settings import Format, Settings

    rows = [{"a": "=1+1", "b": "@x", "c": "+1", "d": "-2", "e": -2, "f": "\tx", "g": None, "h": "a,b", "i": [1]}]
    Output(Settings(format=Format.CSV)).items(rows, list(rows[0]))

    assert capsys.readouterr().out.splitlines()[1] == "'=1+1,'@x,'+1,'-2,-2,'\tx,,\"a,b\",[1]"


def test_an_unexpected_error_says_how_to_report_it_and_shows_its_traceback_only_with_debug(
    dagy: Any, home: Path
) -> None:
    home.mkdir()
    (home / "config.yaml").mkdir()  # something nobody thought of: a folder where a file belongs

    said = dagy("config", "show", expect=1)
    assert said.stderr.startswith("Error: Is a directory: ")
    assert "Traceback" not in said.stderr
    assert "Traceback" in dagy("config", "show", "--debug", expect=1).stderr


def test_a_defect_is_said_to_be_one_with_all_that_a_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    from dagy_cli.failures import report
    from dagy_cli.settings import Format, Settings

    error = RuntimeError("nobody thought of this")
    assert report(error, Settings()) == ExitCode.ERROR
    told = capsys.readouterr().err
    assert told.startswith("Error: RuntimeError: nobody thought of this\n")
    assert f"Please report it with what the same command says with --debug (dagy {VERSION}, Python 3." in told
    assert "Traceback" not in told

    report(error, Settings(format=Format.JSON))
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "unexpected"
    report(error, Settings(is_debug=True))
    assert "RuntimeError: nobody thought of this" in capsys.readouterr().err


def test_errors_are_json_where_answers_are(dagy: Any) -> None:
    said = dagy("runs", "show", "nothing-of-this-name", "--format", "json", expect=5)

    assert said.stdout == ""
    assert said.error["code"] == "not_found"
    assert said.error["message"] == "Run not found: nothing-of-this-name"
    assert said.error["hint"]


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    pipe = f"{DAGY} help exit-codes --format jsonl | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", pipe], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


def test_colours_are_for_terminals_and_can_be_switched_off(dagy: Any) -> None:
    assert "\x1b[" not in dagy("rnu", expect=2).stderr
    script = ["script", "-qec", f"{DAGY} rnu", "/dev/null"]
    loud = subprocess.run(script, capture_output=True, text=True, timeout=60).stdout
    quiet = subprocess.run(
        [*script[:2], f"NO_COLOR=1 {DAGY} rnu", "/dev/null"], capture_output=True, text=True, timeout=60
    )
    switched = subprocess.run(
        [*script[:2], f"{DAGY} --no-color rnu", "/dev/null"], capture_output=True, text=True, timeout=60
    )
    assert "\x1b[31m" in loud
    assert "\x1b[" not in quiet.stdout + switched.stdout


@pytest.mark.parametrize(
    "environ, words, is_colored",
    [
        pytest.param({}, [], False, id="no terminal"),
        pytest.param({"CLICOLOR_FORCE": "1"}, [], True, id="forced"),
        pytest.param({"CLICOLOR_FORCE": "0"}, [], False, id="not forced"),
        pytest.param({"CLICOLOR_FORCE": "1", "CLICOLOR": "0", "TERM": "dumb"}, [], True, id="force wins over wishes"),
        pytest.param({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, [], False, id="NO_COLOR wins over force"),
        pytest.param({"CLICOLOR_FORCE": "1", "NO_COLOR": ""}, [], True, id="an empty NO_COLOR says nothing"),
        pytest.param({"CLICOLOR_FORCE": "1"}, ["--no-color"], False, id="the option wins"),
    ],
)
def test_who_decides_on_colours(
    dagy: Any, monkeypatch: Any, environ: dict[str, str], words: list[str], is_colored: bool
) -> None:
    for name in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert ("\x1b[" in dagy("rnu", *words, expect=2).stderr) is is_colored


@pytest.mark.parametrize("environ", ["CLICOLOR=0", "TERM=dumb", "NO_COLOR=1"])
def test_a_terminal_can_be_left_without_colours(environ: str) -> None:
    asked = ["script", "-qec", f"env {environ} {DAGY} rnu", "/dev/null"]
    assert "\x1b[" not in subprocess.run(asked, capture_output=True, text=True, timeout=60).stdout


def test_the_rules_of_formatting_and_the_variables_are_told(dagy: Any) -> None:
    rules = dagy("help", "formatting", "--json").json
    variables = {row["name"] for row in dagy("help", "environment", "--json").json}

    assert {rule["subject"] for rule in rules} == {"Formats", "Errors", "Terminals", "Colours", "Questions"}
    assert "CLICOLOR_FORCE" in dagy("help", "formatting").stdout
    assert variables >= {"NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "DAGY_PROFILE"}


@pytest.mark.parametrize(
    "words, code, meant",
    [
        pytest.param(["runs", "list", "--format", "jsn"], 2, "Did you mean 'json'?", id="a format"),
        pytest.param(["runs", "list", "--status", "suceeded"], 2, "Did you mean", id="a status"),
        pytest.param(["completion", "bsh"], 2, "Did you mean 'bash'?", id="a shell"),
        pytest.param(["run", "etl", "--execution-mode", "smal"], 2, "Did you mean 'small'?", id="a size"),
        pytest.param(
            ["deploy", "x.py", "--execution-mode", "isolated"], 2, "Did you mean 'task-isolated'?", id="an isolation"
        ),
        pytest.param(["deploy", "x.py", "--status", "active"], 2, "Did you mean 'ACTIVE'?", id="a deployment's status"),
        pytest.param(["deploy", "x.py", "--default-executor", "lamda"], 2, "Did you mean 'lambda'?", id="an executor"),
        pytest.param(
            ["config", "set", "dev", "--table-format", "gihub"], 2, "Did you mean 'github'?", id="a table format"
        ),
        pytest.param(["infra", "synth", "--sizes", "nano,mirco"], 2, "Did you mean 'micro'?", id="one of the sizes"),
        pytest.param(["config", "show", "--profile", "prd"], 5, "Did you mean 'prod'?", id="a profile"),
        pytest.param(["config", "use", "stagin"], 5, "Did you mean 'staging'?", id="a profile to use"),
        pytest.param(["runs", "list", "--format", "qqq"], 2, "'qqq' is not one of", id="nothing that is near"),
    ],
)
def test_of_a_mistyped_value_the_near_one_is_named(dagy: Any, words: list[str], code: int, meant: str) -> None:
    dagy("config", "set", "staging", "--api-url", "http://127.0.0.1:9")
    dagy("config", "set", "prod", "--api-url", "http://127.0.0.1:9")

    assert meant in dagy(*words, expect=code).stderr


@pytest.mark.parametrize(
    "line",
    [
        "run --local my-etl",
        "build x.py:f --param bad",
        "run flow.py:etl --param citis=1",
        "schedules test invalid",
        "config set bad_name",
        "config set dev --api-url localhost",
        "init ../x",
        "init flow x --steps a,,b",
        "run x --execution-mode smal",
        "deploy flow.py:etl --timezone Mars --schedule @daily --dry-run",
        "runs list --limit none",
    ],
)
def test_what_was_typed_wrong_comes_with_the_usage_line(dagy: Any, project: Any, line: str) -> None:
    project(name="flow")

    said = dagy(*line.split(), expect=2)

    assert said.stderr.startswith("Usage: dagy "), said.stderr
    assert dagy(*line.split(), "--json", expect=2).error["code"]


def test_what_is_wrong_in_a_file_or_a_variable_comes_without_the_usage_line(
    dagy: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGY_API_URL", "localhost")
    assert dagy("flows", "list", expect=2).stderr.startswith("Error: ")
    home.mkdir(exist_ok=True)
    (home / "config.yaml").write_text("[")
    assert dagy("flows", "list", expect=2).stderr.startswith("Error: ")


def test_of_a_mistyped_flow_or_deployment_the_near_one_is_named(dagy: Any, stage: Any, project: Any) -> None:
    dagy("deploy", f"{project()}:etl", "--deployment", "nightly")

    for words in (["run", "nigthly"], ["deployments", "show", "nightyl"], ["deployments", "pause", "nightl"]):
        assert "Did you mean nightly?" in dagy(*words, expect=5).stderr, words
    assert "Did you mean etl?" in dagy("flows", "show", "elt", expect=5).stderr
