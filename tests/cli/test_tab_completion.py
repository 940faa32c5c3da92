"""Pressing Tab: in a real bash, and in zsh and fish where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagy.config import write_profile
from dagy_cli.root import SECTIONS

BIN = Path(sys.executable).parent
OTHER_SHELLS = [shell for shell in ("zsh", "fish") if shutil.which(shell)]
Press = Callable[..., list[str]]


@pytest.fixture
def shell_environ(home: Path) -> dict[str, str]:
    """`dagy` on the path, and the test's own home in every sense."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home.parent)}


@pytest.fixture
def tab(shell_environ: dict[str, str]) -> Press:
    """What bash offers for a line of these words, the last one unfinished."""

    def press(*words: str, source: str = 'eval "$(dagy completion bash)"') -> list[str]:
        script = (
            f'{source}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dagy_completion dagy\n'
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", script, "bash", *words],
            env=shell_environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        # Outside of a key press, bash has no completion to give options to; that much it may say.
        noise = [line for line in done.stderr.splitlines() if "not currently executing completion" not in line]
        assert noise == []
        return [line for line in done.stdout.splitlines() if line]

    return press


def test_commands_verbs_options_and_values_are_offered(tab: Press) -> None:
    assert tab("dagy", "") == [name for section in SECTIONS.values() for name in section]
    assert tab("dagy", "ru") == ["run", "runs"]
    assert tab("dagy", "runs", "ca") == ["cancel", "cancel-all"]
    assert tab("dagy", "runs", "list", "--li") == ["--limit"]
    assert tab("dagy", "runs", "list", "--status", "f") == ["FAILED"]
    assert tab("dagy", "--format", "j") == ["json", "jsonl"]
    assert tab("dagy", "deploy", "x.py", "--execution-mode", "mi") == ["micro"]
    assert tab("dagy", "completion", "") == ["bash", "zsh", "fish"]


def test_profiles_are_offered(tab: Press, home: Path) -> None:
    write_profile("staging", api_url="http://127.0.0.1:9")
    write_profile("dev", api_url="http://127.0.0.1:9")

    assert tab("dagy", "runs", "list", "--profile", "") == ["dev", "staging"]
    assert tab("dagy", "-p", "s") == ["staging"]
    assert tab("dagy", "config", "use", "d") == ["dev"]


def test_runs_of_this_machine_are_offered_newest_first(tab: Press, home: Path) -> None:
    ids = ["etl-20260304T120000Z-aaaaaa", "etl-20260305T120000Z-bbbbbb", "a-b-20260304T120001Z-cccccc"]
    for run_id in ids:
        (home / "runs" / run_id).mkdir(parents=True)
    (home / "journals").mkdir()
    (home / "journals" / "etl-20260306T120000Z-dddddd.jsonl").touch()

    newest_first = ["etl-20260306T120000Z-dddddd", ids[1], ids[2], ids[0]]
    assert tab("dagy", "runs", "show", "") == newest_first
    assert tab("dagy", "logs", "etl-20260304") == [ids[0]]
    assert tab("dagy", "run", "--resume", "a") == [ids[2]]
    assert tab("dagy", "runs", "cancel", "") == []  # nothing here can be cancelled


def test_deployments_and_runs_of_the_stage_are_offered_when_it_answers(
    tab: Press, dagy: Any, stage: Any, project: Callable[..., str]
) -> None:
    dagy("deploy", f"{project()}:etl", "--deployment", "nightly")
    run_id = dagy("run", "nightly", "--json").json["run_id"]

    assert tab("dagy", "run", "ni") == ["nightly"]
    assert tab("dagy", "deployments", "show", "") == ["nightly"]
    assert tab("dagy", "runs", "cancel", "") == [run_id]
    assert tab("dagy", "logs", "--remote", "") == [run_id]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["run", ""], id="no API"),
        pytest.param(["deployments", "show", ""], id="nothing but an API could tell"),
        pytest.param(["nonsense", "--more", ""], id="no such command"),
        pytest.param(["runs", "show", ""], id="no records"),
        pytest.param(["--verbose", "--quiet", "runs", "li"], id="a line that is an error already"),
        pytest.param(["runs", "show", "'"], id="an open quote"),
    ],
)
def test_when_there_is_nothing_to_offer_the_prompt_stays_clean(tab: Press, home: Path, words: list[str]) -> None:
    home.mkdir()
    (home / "config.yaml").write_text("profiles: [broken")

    tab("dagy", *words)  # says nothing on stderr: see the fixture


@pytest.mark.parametrize("words", ["dagy ", "dagy run --resume ", "dagy runs list --st"])
def test_answering_the_shell_imports_nothing_heavy(shell_environ: dict[str, str], words: str) -> None:
    program = """
import sys
from dagy_cli.main import main
try:
    main()
except SystemExit as leaving:
    assert not leaving.code
print("loaded:", *{name.partition(".")[0] for name in sys.modules})
"""
    asked = {"_DAGY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**shell_environ, **asked}, capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    heavy = {"boto3", "botocore", "duckdb", "yaml", "tabulate", "urllib3", "aws_cdk", "pandas"}
    assert not loaded & heavy


@pytest.mark.parametrize("shell", OTHER_SHELLS)
def test_the_scripts_of_other_shells_are_what_these_shells_read(shell: str, shell_environ: dict[str, str]) -> None:
    script = subprocess.run(
        [BIN / "dagy", "completion", shell], env=shell_environ, capture_output=True, text=True, check=True
    ).stdout
    subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=60)


@pytest.mark.parametrize("shell", [shell for shell in OTHER_SHELLS if shell == "fish"])
def test_fish_completes_with_descriptions(shell: str, shell_environ: dict[str, str]) -> None:
    ask = 'dagy completion fish | source; complete -C "dagy whoa"'
    done = subprocess.run([shell, "-c", ask], env=shell_environ, capture_output=True, text=True, timeout=60)

    assert done.stdout.startswith("whoami\t")


# --- installing ---------------------------------------------------------------------------------------------


@pytest.fixture
def user_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = home.parent / "user"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("ZDOTDIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_installing_keeps_the_start_file_and_works_in_the_next_shell(dagy: Any, user_home: Path, tab: Press) -> None:
    bashrc = user_home / ".bashrc"
    bashrc.write_text("export MINE=1")

    said = dagy("completion", "bash", "--install", "--yes", "--json").json

    assert said["changed"] is True
    assert bashrc.read_text().startswith("export MINE=1\n")
    assert tab("dagy", "who", source=f". {bashrc}") == ["whoami"]


def test_installing_again_changes_nothing_and_mends_what_is_old(dagy: Any, user_home: Path) -> None:
    dagy("completion", "bash", "--install", "--yes")
    before = (user_home / ".bashrc").read_text()

    assert "is installed already" in dagy("completion", "bash", "--install").stdout
    assert (user_home / ".bashrc").read_text() == before

    script = Path(dagy("completion", "bash", "--install", "--json").json["script"])
    script.write_text("an older script")
    assert dagy("completion", "bash", "--install", "--yes", "--json").json["changed"] is True
    assert "_dagy_completion" in script.read_text()
    assert (user_home / ".bashrc").read_text() == before


@pytest.mark.parametrize(
    "shell, written", [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/completions/dagy.fish")]
)
def test_nothing_is_written_without_a_yes(dagy: Any, user_home: Path, shell: str, written: str) -> None:
    planned = dagy("completion", shell, "--install", "--dry-run").stdout
    refused = dagy("completion", shell, "--install", expect=2)

    assert str(user_home / written) in planned
    assert "add --yes" in refused.stderr
    assert list(user_home.iterdir()) == []

    dagy("completion", shell, "--install", "--yes")
    assert (user_home / written).is_file()


def test_a_start_file_that_is_a_link_stays_one(dagy: Any, user_home: Path) -> None:
    dotfiles = user_home / "dotfiles"
    dotfiles.write_text("# mine\n")
    (user_home / ".zshrc").symlink_to(dotfiles)

    dagy("completion", "zsh", "--install", "--yes")

    assert (user_home / ".zshrc").is_symlink()
    assert "dagy.zsh" in dotfiles.read_text()


def test_questions_of_installing_need_installing(dagy: Any) -> None:
    assert "go with --install" in dagy("completion", "bash", "--yes", expect=2).stderr
    assert "'tcsh' is not one of" in dagy("completion", "tcsh", expect=2).stderr
