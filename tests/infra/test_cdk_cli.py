"""The CDK's command line: the pinned one, on a supported Node, with its progress made short."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dagy_infra import cdk_cli, node
from dagy_infra.cdk_cli import Cdk, CdkFailed, shortened
from dagy_infra.locations import checkout

ROOT = Path(__file__).parents[2]


def test_the_checkout_pins_the_version_that_is_called() -> None:
    assert json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"] == cdk_cli.VERSION


def test_plain_cdk_commands_work_from_the_root() -> None:
    settings = json.loads((ROOT / "cdk.json").read_text())
    assert settings["app"] == "python -m dagy_infra.app"
    assert settings["build"] == "python -m dagy_infra.assets"
    assert checkout() == ROOT


@pytest.mark.parametrize(
    "line, short",
    [
        pytest.param(
            "Dagy-dev-Data |   2/4  | 10:20:30 | CREATE_COMPLETE | AWS::S3::Bucket | ArtifactStore/Bucket (Arti1)",
            "Dagy-dev-Data  2/4  S3::Bucket create complete",
            id="what is made is told",
        ),
        pytest.param(
            "Dagy-dev-App |   9    | 10:20:30 | UPDATE_ROLLBACK_COMPLETE | AWS::CloudFormation::Stack | Dagy",
            "Dagy-dev-App  9  CloudFormation::Stack update rollback complete",
            id="without a total too",
        ),
        pytest.param(
            "Dagy-dev-App |   1/4  | 10:20:30 | CREATE_FAILED | AWS::IAM::Role | Api/Api/Role (Role1) no right",
            "Dagy-dev-App  AWS::IAM::Role Api/Role: CREATE_FAILED (Role1) no right",
            id="a failure is told with its reason",
        ),
        pytest.param(
            "Dagy-dev-Data |   1/4  | 10:20:30 | CREATE_IN_PROGRESS | AWS::S3::Bucket | Bucket",
            None,
            id="intentions are not",
        ),
        pytest.param("✨  Synthesis time: 3.2s", None, id="nor are ornaments"),
    ],
)
def test_progress(line: str, short: str | None) -> None:
    assert shortened(line) == short


@pytest.mark.parametrize(
    "version, is_supported",
    [("v24.19.0", True), ("v22.1.0", True), ("v20.20.2", False), ("v18.0.0", False), ("", False), ("nonsense", False)],
)
def test_a_node_past_its_end_of_life_is_not_used(version: str, is_supported: bool) -> None:
    assert node._is_supported(version) is is_supported


def test_processes_find_the_chosen_node_first() -> None:
    environ = node.with_node({"PATH": "/usr/bin"})
    chosen = Path(environ["JSII_NODE"])
    assert environ["PATH"] == f"{chosen.parent}{os.pathsep}/usr/bin"
    assert chosen.is_file()


def test_a_failure_carries_what_the_cdk_said(tmp_path: Path) -> None:
    script = tmp_path / "cdk"
    script.write_text("console.log('no stack named x'); process.exit(3)")
    said: list[str] = []
    broken = Cdk(script, {**os.environ}, tmp_path / "work")
    with pytest.raises(CdkFailed, match="no stack named x"):
        broken.run("deploy", report=said.append)
    assert said == []


def test_the_cdk_gets_its_own_words_and_answers_with_its_output(tmp_path: Path) -> None:
    script = tmp_path / "cdk"
    script.write_text("console.log(JSON.stringify(process.argv.slice(2)), process.cwd())")
    output = Cdk(script, {**os.environ}, tmp_path / "work").run("diff", "-c", "stage=dev", report=print, app=["app"])
    words, folder = output.strip().rsplit(" ", 1)
    assert json.loads(words)[:3] == ["diff", "-c", "stage=dev"]
    assert json.loads(words)[-2:] == ["--app", "app"]
    assert Path(folder) == tmp_path / "work"  # a folder without anybody's cdk.json


def test_the_pinned_cli_is_told_from_another_version(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "aws-cdk"
    package.mkdir(parents=True)
    assert cdk_cli._script_in(tmp_path / "node_modules") is None
    (package / "package.json").write_text('{"name": "aws-cdk", "version": "3.0.0"}')
    assert cdk_cli._script_in(tmp_path / "node_modules") is None
    (package / "package.json").write_text(f'{{"name": "aws-cdk", "version": "{cdk_cli.VERSION}"}}')
    assert cdk_cli._script_in(tmp_path / "node_modules") == package / "bin" / "cdk"
