"""The documentation's example of a CDK app of one's own, synthesised as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from dagy_infra.assets import KINDS, target_of
from dagy_infra.locations import cache_dir
from dagy_infra.node import find_node
from dagy_infra.stages import stage_config
from dagy_infra.zips import write_zip

PAGE = Path(__file__).parents[2] / "docs" / "provisioning.md"


def test_flows_can_be_given_what_they_need_of_your_own_app(tmp_path: Path) -> None:
    [source] = re.findall(r"```python\n(# platform_app\.py\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "platform_app.py").write_text(source)
    for kind in KINDS:
        path = tmp_path / "assets" / target_of(stage_config("prod")).name / f"{kind}.zip"
        write_zip(path, {"handler.py": kind.encode()}, key="test")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DAGY_", "CDK_"))}
    environ |= {
        "CDK_OUTDIR": str(tmp_path / "out"),
        "DAGY_ASSETS_DIR": str(tmp_path / "assets"),
        "JSII_NODE": str(find_node()),
        "PYTHONPYCACHEPREFIX": str(cache_dir() / "pycache"),
    }
    environ.pop("PYTHONDONTWRITEBYTECODE", None)

    done = subprocess.run(
        [sys.executable, "platform_app.py"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    stacks = {path.name.split(".")[0] for path in (tmp_path / "out").glob("*.template.json")}
    assert stacks == {"Dagy-prod-Data", "Dagy-prod-App", "Lake"}
    template = json.loads((tmp_path / "out" / "Dagy-prod-App.template.json").read_text())
    readers = [policy for policy in _policies(template) if "ImportValue" in json.dumps(policy) and _reads_lake(policy)]
    assert len(readers) == 6


def _policies(template: dict[str, Any]) -> list[dict[str, Any]]:
    return [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Policy"]


def _reads_lake(policy: dict[str, Any]) -> bool:
    """The CDK's own names for reading a bucket, which no statement of Dagy's has."""
    return any("s3:GetObject*" in s["Action"] for s in policy["PolicyDocument"]["Statement"])
