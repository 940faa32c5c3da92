"""Stages synthesised once for all tests here, from zips that hold next to nothing, with no way to AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dagy_infra.app import stage_from_context
from dagy_infra.assets import KINDS, target_of
from dagy_infra.locations import cache_dir
from dagy_infra.node import find_node
from dagy_infra.stages import StageConfig
from dagy_infra.zips import write_zip


@dataclass(frozen=True)
class Synthesised:
    """A stage's two templates and what the synthesis said."""

    stage: StageConfig
    folder: Path
    stderr: str

    @property
    def data(self) -> dict[str, Any]:
        return self._template(self.stage.data_stack)

    @property
    def app(self) -> dict[str, Any]:
        return self._template(self.stage.app_stack)

    def resources(self, kind: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        for template in (self.data, self.app):
            for logical_id, resource in template["Resources"].items():
                if kind is None or resource["Type"] == kind:
                    yield logical_id, resource

    def _template(self, stack: str) -> dict[str, Any]:
        return dict(json.loads((self.folder / f"{stack}.template.json").read_text()))


# The app of `dagy_infra.app`, with cdk-nag's pack AwsSolutions looking at every resource.
NAGGED = """
import json, os
from dagy_infra.app import build_app, stage_from_context
app = build_app(stage_from_context(json.loads(os.environ["CDK_CONTEXT_JSON"]), {}), outdir=os.environ["CDK_OUTDIR"])
import aws_cdk, cdk_nag
aws_cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
app.synth()
"""
# Every setting there is, at once.
SETTINGS = {
    "alarm_topic_arn": "arn:aws:sns:us-east-1:123456789012:pager",
    "tracing": "true",
    "fargate": "true",
    "log_retention_days": "365",
    "run_retention_days": "400",
    "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "vpc_id": "vpc-0a1b2c3d",
    "subnet_ids": "subnet-0a1b2c3d,subnet-1a2b3c4d",
    "security_group_ids": "sg-0a1b2c3d",
    "domain_name": "dagy.example.com",
    "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/1234abcd-12ab-34cd-56ef-1234567890ab",
    "hosted_zone_id": "Z0123456789ABC",
    "permissions_boundary": "Developers",
    "tags": "team=data,cost-centre=42",
    "alarms": "true",
    "dashboard": "true",
}


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Synthesised]:
    """Synthesise a stage as the CDK does: in a process of its own, which is told of no AWS and reaches no network.
    Further words are context, as `-c` and `cdk.json` give it. With `is_nagged` cdk-nag reads it too, and its report is
    in the folder.
    """

    def run(name: str, *, is_nagged: bool = False, **more: Any) -> Synthesised:
        context = {"stage": name, **more} | ({"emulator": "http://127.0.0.1:4566"} if name == "local" else {})
        stage, folder = stage_from_context(context, {}), tmp_path_factory.mktemp(name)
        for kind in KINDS:
            path = folder / "assets" / target_of(stage).name / f"{kind}.zip"
            write_zip(path, {"handler.py": kind.encode()}, key="test")
        nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all")}
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DAGY_"))},
            **nowhere,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_OUTDIR": str(folder / "out"),
            "DAGY_ASSETS_DIR": str(folder / "assets"),
            "JSII_NODE": str(find_node()),
            "CDK_VALIDATION": "false",  # half of a synthesis; cfn-lint says the same and more
            "PYTHONPYCACHEPREFIX": str(cache_dir() / "pycache"),  # compiling the CDK's Python takes 6 s
        }
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(
            [sys.executable, "-W", "error", *(["-c", NAGGED] if is_nagged else ["-m", "dagy_infra.app"])],
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Synthesised(stage, folder / "out", done.stderr)

    return run


@pytest.fixture(scope="session")
def dev(synthesise: Callable[..., Synthesised]) -> Synthesised:
    return synthesise("dev")


@pytest.fixture(scope="session")
def prod(synthesise: Callable[..., Synthesised]) -> Synthesised:
    return synthesise("prod", is_nagged=True)


@pytest.fixture(scope="session")
def tailored(synthesise: Callable[..., Synthesised]) -> Synthesised:
    """A stage that was told to be otherwise in every way there is."""
    return synthesise("prod", is_nagged=True, stages={"prod": SETTINGS, "dev": {"tracing": "true"}})


@pytest.fixture(scope="session")
def local(synthesise: Callable[..., Synthesised]) -> Synthesised:
    return synthesise("local")
