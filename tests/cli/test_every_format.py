"""Whatever a command has to tell, it tells machines too: the same facts as JSON, JSON lines, YAML and CSV, and people
in a table of the format that their profile names. A command that is not in the tables here fails the first test.

The JSON is a contract. A deliberate change of it: delete its snapshot, run again, and read the diff before committing.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagy.config import write_profile
from dagy_cli.root import root
from dagy_cli.tree import walk
from dagy_runtime.messages import AdvanceRun, StartRun

ROOT = Path(__file__).parents[2]
SNAPSHOTS = Path(__file__).parent / "snapshots"
FAILING = """\
from dagy import flow, task

@task
def load():
    print("reading rows")
    raise ValueError("no rows")

@flow
def etl():
    return load()
"""


@dataclass
class World:
    """A stage with a deployment `etl`, and whatever a command needs to have been there before it."""

    dagy: Any
    stage: Any
    target: str
    failing: str

    def __post_init__(self) -> None:
        self.numbers = count(1)

    def name(self, prefix: str) -> str:
        return f"{prefix}-{next(self.numbers)}"

    def deployment(self, *options: str) -> str:
        name = self.name("etl")
        self.dagy("deploy", self.target, "--deployment", name, *options)
        return name

    def redeployed(self) -> str:
        name = self.deployment()
        self.dagy("deploy", self.target, "--deployment", name, "--tag", "a=b")
        return name

    def scheduled(self) -> bool:
        options = ("--schedule", "0 6 * * *", "--timezone", "UTC")
        return bool(self.dagy("deploy", self.target, "--deployment", "nightly", *options))

    def run(self, deployment: str = "etl") -> str:
        run_id: str = self.dagy("run", deployment, "--json").json["run_id"]
        return run_id

    def ended(self, **end: Any) -> str:
        run_id = self.run()
        self.stage.play(run_id, **end)
        return run_id

    def failed_here(self) -> str:
        self.dagy("run", self.failing, expect=8)
        run_id: str = self.dagy("runs", "list", "--limit", "1", "--json").json[0]["run_id"]
        return run_id

    def key(self) -> str:
        key_id: str = self.dagy("keys", "create", "--name", self.name("key"), "--json").json["id"]
        return key_id

    def user(self, email: str | None = None) -> str:
        email = email or f"{self.name('user')}@example.com"
        self.dagy("users", "add", email, "--no-email", expect=None)  # who is there already stays
        return email

    def profile(self) -> str:
        name = self.name("other")
        self.dagy("config", "set", name, "--api-url", "https://api.example.com")
        return name


Arrange = Callable[[World], list[str]]


def words(*fixed: str) -> Arrange:
    return lambda world: list(fixed)


FACTS: dict[str, Arrange] = {
    "build": lambda w: ["build", w.target],
    "deploy": lambda w: ["deploy", w.target, "--deployment", w.name("new"), "--schedule", "0 6 * * *"],
    "deploy --dry-run": lambda w: ["deploy", w.target, "--deployment", w.name("new"), "--dry-run"],
    "run": words("run", "etl", "--param", "n=2"),
    "run here": lambda w: ["run", w.target],
    "logs": lambda w: ["logs", w.ended(), "--remote"],
    "logs here": lambda w: ["logs", w.failed_here()],
    "flows list": words("flows", "list"),
    "init": lambda w: ["init", w.name("new")],
    "flows validate": lambda w: ["flows", "validate", w.target],
    "flows show": words("flows", "show", "etl"),
    "deployments list": words("deployments", "list"),
    "deployments show": words("deployments", "show", "etl"),
    "deployments pause": lambda w: ["deployments", "pause", w.deployment()],
    "deployments resume": lambda w: ["deployments", "resume", w.deployment()],
    "deployments history": words("deployments", "history", "etl"),
    "deployments rollback": lambda w: ["deployments", "rollback", w.redeployed(), "--to", "1", "--yes"],
    "deployments delete": lambda w: ["deployments", "delete", w.deployment(), "--yes"],
    "schedules list": lambda w: w.scheduled() and ["schedules", "list"],
    "schedules test": words("schedules", "test", "0 6 * * *", "--timezone", "UTC", "--count", "2"),
    "runs list": lambda w: w.failed_here() and ["runs", "list", "--limit", "1"],
    "runs list --remote": lambda w: w.run() and ["runs", "list", "--remote", "--limit", "1"],
    "runs show": lambda w: ["runs", "show", w.ended(), "--remote"],
    "runs show here": lambda w: ["runs", "show", w.failed_here()],
    "runs inspect": lambda w: ["runs", "inspect", w.ended(fails_with="no rows"), "--remote"],
    "runs events": lambda w: ["runs", "events", w.ended()],
    "runs result": lambda w: ["runs", "result", w.ended(result={"rows": [1, 2]})],
    "runs result --output": lambda w: ["runs", "result", w.ended(), "--output", w.name("file")],
    "runs watch": lambda w: ["runs", "watch", w.ended(), "--remote"],
    "runs cancel": lambda w: ["runs", "cancel", w.run(), "--yes"],
    "runs cancel-all": lambda w: w.run() and ["runs", "cancel-all", "--deployment", "etl", "--yes"],
    "runs retry": lambda w: ["runs", "retry", w.ended()],
    "runs bulk": words("runs", "bulk", "etl", '{"n": 1}', '{"n": 2}'),
    "dead-letters list": lambda w: w.stage.bury(StartRun("etl")) and ["dead-letters", "list", "--limit", "1"],
    "dead-letters show": lambda w: ["dead-letters", "show", w.stage.bury(AdvanceRun(w.ended(fails_with="no")))],
    "dead-letters replay": lambda w: ["dead-letters", "replay", w.stage.bury(AdvanceRun(w.ended(fails_with="no")))],
    "keys create": lambda w: ["keys", "create", "--name", w.name("key")],
    "keys list": words("keys", "list"),
    "keys revoke": lambda w: ["keys", "revoke", w.key(), "--yes"],
    "users list": lambda w: [w.user("ann@example.com") and "users", "list"],
    "users show": lambda w: ["users", "show", w.user()],
    "users add": lambda w: ["users", "add", f"{w.name('user')}@example.com", "--no-email"],
    "users set-role": lambda w: ["users", "set-role", w.user(), "developer"],
    "users disable": lambda w: ["users", "disable", w.user()],
    "users enable": lambda w: ["users", "enable", w.user()],
    "users remove": lambda w: ["users", "remove", w.user(), "--yes"],
    "audit list": words("audit", "list"),
    "config list": words("config", "list"),
    "config show": words("config", "show"),
    "config show --origin": words("config", "show", "--origin"),
    "config set": lambda w: ["config", "set", w.name("other"), "--api-url", "https://api.example.com"],
    "config use": words("config", "use", "dev"),
    "config delete": lambda w: ["config", "delete", w.profile(), "--yes"],
    "whoami": words("whoami"),
    "logout": words("logout"),
    "help exit-codes": words("help", "exit-codes"),
    "help environment": words("help", "environment"),
    "help formatting": words("help", "formatting"),
    "local status": words("local", "status"),
    "local stop": words("local", "stop"),
    "local reset": words("local", "reset", "--yes"),
}  # fmt: skip
OF_AWS: dict[str, list[str]] = {
    "infra status": ["infra", "status", "--stage", "dev"],
    "infra outputs": ["infra", "outputs", "--stage", "dev"],
    "infra destroy": ["infra", "destroy", "--stage", "dev", "--yes"],
}
PRINTS_NO_FACTS = {
    "completion": "a script for a shell",
    "dev": "what happens while somebody works, until they stop",
    "config": "questions for a person",
    "local logs": "what the emulator wrote; test_lines_of_the_emulators_log_are_facts_for_machines",
}
TOLD_ELSEWHERE = {
    "clean": "tests/cli/test_clean_command.py",
    "doctor": "tests/cli/test_doctor.py",
    "login": "tests/cli/sign_in/test_login.py",
    "status": "tests/cli/test_status_and_open.py",
    "open": "tests/cli/test_status_and_open.py",
    **dict.fromkeys(
        ["packages create", "packages delete", "packages list", "packages show"], "tests/cli/test_packages_command.py"
    ),
    **dict.fromkeys(
        ["infra deploy", "infra diff", "infra synth", "local start"], "tests/e2e/test_provisioning_commands.py"
    ),
}


@pytest.fixture
def world(dagy: Any, stage: Any, project: Any) -> World:
    world = World(dagy, stage, f"{project()}:etl", f"{project(FAILING, 'failing_flow')}:etl")
    dagy("deploy", world.target)
    return world


def test_every_command_is_in_one_of_the_tables() -> None:
    telling = {name.partition(" --")[0].removesuffix(" here") for name in FACTS}
    commands = {" ".join(node.words) for node in walk(root) if node.is_leaf}

    assert commands == {*telling, *OF_AWS, *PRINTS_NO_FACTS, *TOLD_ELSEWHERE}
    for name, file in TOLD_ELSEWHERE.items():
        asked = re.search(rf'"{name.split()[-1]}",[^)]*"--json"', (ROOT / file).read_text("utf-8"))
        assert asked, f"{file} does not ask for the JSON of dagy {name}"


@pytest.mark.parametrize("name", FACTS)
def test_a_command_tells_the_same_facts_in_every_format(world: World, name: str) -> None:
    all_formats(name, lambda: FACTS[name](world), world.dagy)


@pytest.mark.parametrize("name", OF_AWS)
def test_a_command_about_aws_tells_the_same_facts_in_every_format(aws: None, dagy: Any, name: str) -> None:
    write_profile("dev", stage="dev", region="us-east-1", table_format="github")
    all_formats(name, lambda: OF_AWS[name], dagy)


def all_formats(name: str, arrange: Callable[[], list[str]], dagy: Any) -> None:
    """Options before the command, between and after it: all the same."""
    facts = normalised(dagy("--json", *arrange()).json)
    first, *rest = arrange()
    lines = [json.loads(line) for line in dagy(first, "--format", "jsonl", *rest).stdout.splitlines()]
    assert normalised(lines if isinstance(facts, list) else lines[0]) == facts
    assert isinstance(facts, list) or len(lines) == 1
    assert normalised(yaml.safe_load(dagy(*arrange(), "--format=yaml").stdout)) == facts
    of_csv = list(csv.reader(io.StringIO(dagy("--format", "csv", *arrange()).stdout)))
    assert_fits(of_csv, facts)
    for_people = dagy(*arrange(), "--no-color").stdout
    assert for_people.strip() or facts == []
    assert for_people[:1] not in ("[", "{") or name == "runs result"
    if not name.startswith("help"):  # that is prose
        assert as_snapshot(name, facts) == facts


def assert_fits(table: list[list[str]], facts: Any) -> None:
    header, *rows = table
    if isinstance(facts, list):
        assert len(rows) == len(facts)
        assert all(set(header) <= set(fact) for fact in facts), header
    elif header != ["value"]:
        assert set(header) == set(facts)
        assert len(rows) == 1
    assert all(len(row) == len(header) for row in rows)
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and not re.fullmatch(r"-?[\d.]+|", cell)]


def as_snapshot(name: str, facts: Any) -> Any:
    path = SNAPSHOTS / f"{name.replace(' ', '-')}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


PATTERNS = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z": "<time>",
    r"\betl-\d{8}T\d{6}Z-[0-9a-z]{6,8}": "<run>",
    r"\b(etl|new|other|key|user|file)-\d+\b": r"\1-<n>",
    r"\b[0-9a-f]{64}\b": "<sha256>",
    r"\b01[0-9A-HJKMNP-TV-Z]{24}\b": "<id>",
    r"http://127\.0\.0\.1:\d+": "<url>",
    r"dgy_[\w-]+": "<key>",
    r"[\w-]{20}-aA1": "<password>",
    r"flow_test_\w+": "<flow file>",
    r"(/[\w.-]+)+/(home|project)\b": r"<\2>",
    r"etl-\d{8}T\d{6}-[0-9a-f]+": "<build>",
}
NUMBERS = ("_s", "_mib", "_bytes")
IDS = ("id", "artifact_version_id", "requested_by", "created_by", "actor_id", "replayed_by")


def normalised(value: Any, key: str = "") -> Any:
    """What is another on every run, replaced by what it is."""
    if isinstance(value, dict):
        return {name: normalised(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [normalised(inner, key) for inner in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and key.endswith(NUMBERS):
        return "<number>"
    if isinstance(value, str):
        if key in IDS:
            return f"<{key}>"
        for pattern, name in PATTERNS.items():
            value = re.sub(pattern, name, value)
    return value


def test_lines_of_the_emulators_log_are_facts_for_machines(dagy: Any, home: Path) -> None:
    log = dagy("local", "logs", "--json")
    assert log.json == []


@pytest.mark.parametrize("table_format, sign", [("github", "|---"), ("plain", "flow_name  "), ("heavy_grid", "┏━")])
def test_tables_are_drawn_as_the_profile_says(world: World, table_format: str, sign: str) -> None:
    write_profile("dev", table_format=table_format)

    assert sign in world.dagy("flows", "list").stdout.replace("| ", "|").replace("|:", "|-")


@pytest.mark.parametrize("node", list(walk(root)), ids=lambda node: " ".join(node.words))
def test_what_is_typed_wrong_is_told_machines_as_json(dagy: Any, node: Any) -> None:
    said = dagy(*node.words, "--no-such-option", "--format", "jsonl", expect=2)

    assert said.stdout == ""
    assert set(said.error) == {"code", "message", "hint"}
    assert said.error["code"] == "usage"
    assert "--no-such-option" in said.error["message"]
