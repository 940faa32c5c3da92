"""The documentation's example of a CDK app of one's own, synthesised as it stands there."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dagy_infra.assets import KINDS, target_of
from dagy_infra.locations import cache_dir
from dagy_infra.node import find_node
from dagy_infra.stages import stage_config
from dagy_infra.zips import write_zip
from dagy_runtime.messages import StartRun, to_json

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "provisioning.md"


def test_flows_can_be_given_what_they_need_of_your_own_app(tmp_path: Path) -> None:
    [source] = re.findall(r"```python\n(# platform_app\.py\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    app = tmp_path / "platform_app.py"
    app.write_text(source)

    templates = synthesise(app, tmp_path)

    assert set(templates) == {"Dagy-prod-Data", "Dagy-prod-App", "Lake"}
    readers = [p for p in _policies(templates["Dagy-prod-App"]) if "ImportValue" in json.dumps(p) and _reads_lake(p)]
    assert len(readers) == 6


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """`examples/embedding`, as it stands there: Dagy in somebody's VPC, under their key."""
    return synthesise(ROOT / "examples" / "embedding" / "app.py", tmp_path_factory.mktemp("embedding"))


def test_a_platform_in_a_stack_of_yours_is_whole(embedded) -> None:
    assert set(embedded) == {"Warehouse", "Platform"}
    kinds = [resource["Type"] for resource in embedded["Platform"]["Resources"].values()]
    assert kinds.count("AWS::Lambda::Function") == 6  # two sizes, control, failures, API, and one of yours
    for kind in (
        "AWS::S3::Bucket",
        "AWS::DynamoDB::GlobalTable",
        "AWS::ApiGatewayV2::Api",
        "AWS::Scheduler::ScheduleGroup",
    ):
        assert kinds.count(kind) == 1
    [manifest] = _of(embedded["Platform"], "AWS::SSM::Parameter").values()
    assert manifest["Properties"]["Name"] == "/dagy/prod/manifest"  # so the command line finds it


def test_a_function_of_yours_may_start_runs_and_do_nothing_else(embedded) -> None:
    [policy] = [p for key, p in _of(embedded["Platform"], "AWS::IAM::Policy").items() if key.startswith("Arrivals")]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert json.dumps(statement["Resource"]).count("ControlFunction") >= 1


def test_the_message_of_the_example_is_one_that_the_control_function_knows() -> None:
    source = (ROOT / "examples" / "embedding" / "function" / "arrivals.py").read_text()
    [message] = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Dict)][:1]
    sent = {key.value for key in message.keys if isinstance(key, ast.Constant)}
    assert sent == set(to_json(StartRun("sessions")))
    assert to_json(StartRun("sessions"))["kind"] in source


def test_a_role_that_deploys_writes_artifacts_and_no_data_of_runs(embedded) -> None:
    [policy] = [p for key, p in _of(embedded["Platform"], "AWS::IAM::Policy").items() if key.startswith("Ci")]
    by_id = {s["Sid"]: s for s in policy["Properties"]["PolicyDocument"]["Statement"]}
    assert set(by_id) == {"UploadArtifacts", "LeaveRunsAlone", "FindStage", "UseKeyOfData"}
    assert by_id["LeaveRunsAlone"]["Effect"] == "Deny"
    assert all(prefix in json.dumps(by_id["LeaveRunsAlone"]) for prefix in ("/runs/*", "/state/*"))


def test_the_key_lets_this_accounts_logs_use_it(embedded) -> None:
    [key] = _of(embedded["Warehouse"], "AWS::KMS::Key").values()
    statements = {s.get("Sid"): s for s in key["Properties"]["KeyPolicy"]["Statement"]}
    assert "kms:EncryptionContext:aws:logs:arn" in json.dumps(statements["LogsOfThisAccount"]["Condition"])
    assert statements["AlarmsOfThisAccount"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert all("*" not in action for s in statements.values() if s.get("Sid") for action in s["Action"])


def test_runtimes_are_in_the_vpc_with_a_security_group_that_lets_nothing_in(embedded) -> None:
    platform = embedded["Platform"]
    runtimes = {k: f for k, f in _of(platform, "AWS::Lambda::Function").items() if "Runtimes" in k}
    assert len(runtimes) == 2 and all("VpcConfig" in f["Properties"] for f in runtimes.values())
    [group] = _of(platform, "AWS::EC2::SecurityGroup").values()
    assert "SecurityGroupIngress" not in group["Properties"]


def synthesise(app: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Each stack's template. The app runs as the CDK runs it, with zips that hold next to nothing."""
    for kind in KINDS:
        path = folder / "assets" / target_of(stage_config("prod")).name / f"{kind}.zip"
        write_zip(path, {"handler.py": kind.encode()}, key="test")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DAGY_", "CDK_"))}
    environ |= {
        "CDK_OUTDIR": str(folder / "out"),
        "DAGY_ASSETS_DIR": str(folder / "assets"),
        "JSII_NODE": str(find_node()),
        "CDK_VALIDATION": "false",
        "PYTHONPYCACHEPREFIX": str(cache_dir() / "pycache"),
    }
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, str(app)], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = (folder / "out").glob("*.template.json")
    return {path.name.split(".")[0]: json.loads(path.read_text()) for path in found}


def _of(template: dict[str, Any], kind: str) -> dict[str, Any]:
    return {key: resource for key, resource in template["Resources"].items() if resource["Type"] == kind}


def _policies(template: dict[str, Any]) -> list[dict[str, Any]]:
    return [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Policy"]


def _reads_lake(policy: dict[str, Any]) -> bool:
    """The CDK's own names for reading a bucket, which no statement of Dagy's has."""
    return any("s3:GetObject*" in s["Action"] for s in policy["PolicyDocument"]["Statement"])
