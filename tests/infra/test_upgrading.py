"""A newer Dagy over an older stage replaces and deletes nothing that holds something.

`released/` has, for each release, what of its stacks holds something, as stage `dev` has it. A release adds a file,
and changes none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from dagy_infra.cdk_cli import cdk
from dagy_infra.losses import losses

RELEASED = sorted((Path(__file__).parent / "released").glob("*.json"))
# Besides what CloudFormation's own schemas say can only be set when a resource is made.
ALSO_FIXED = {"AWS::DynamoDB::GlobalTable": ("KeySchema", "LocalSecondaryIndexes")}


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def released(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    return dict(json.loads(request.param.read_text()))


def test_what_holds_something_is_neither_replaced_nor_deleted(released, dev) -> None:
    """Bucket and table hold the data; the API's id is its address, and with the group go all schedules."""
    checked = set()
    for stack, resources in released.items():
        now = getattr(dev, stack)["Resources"]
        for logical_id, before in resources.items():
            kind = before["Type"]
            assert now[logical_id]["Type"] == kind
            for name in (*_fixed(kind), *ALSO_FIXED.get(kind, ())):
                was, is_now = before["Properties"].get(name), now[logical_id]["Properties"].get(name)
                assert is_now == was, (logical_id, name)
            checked.add(kind)
    assert len(checked) == 5


def test_an_upgrade_of_the_table_is_one_that_dynamodb_can_do(released, dev) -> None:
    """It makes or deletes one index at a time, and keeps the keys of those that stay."""
    [before] = [r for r in released["data"].values() if r["Type"] == "AWS::DynamoDB::GlobalTable"]
    [(_, after)] = dev.resources("AWS::DynamoDB::GlobalTable")
    was, is_now = _indexes(before), _indexes(after)
    assert len(was.keys() ^ is_now.keys()) <= 1
    assert all(is_now[name] == was[name] for name in was.keys() & is_now.keys())


def test_the_diff_of_an_upgrade_that_loses_something_is_warned_of(dev, tmp_path: Path) -> None:
    """In the words of the CDK's own command line, which compares two templates without asking AWS."""
    before = json.loads(json.dumps(dev.data))
    before["Resources"]["ArtifactStoreBucket47CE7D81"]["Properties"]["BucketName"] = "another"
    before["Resources"]["OldTable"] = dict(before["Resources"]["RunTableEC064379"], DeletionPolicy="Delete")
    (tmp_path / "before.json").write_text(json.dumps(before))
    command = cdk(work_dir=tmp_path, report=lambda _: None)

    def diff(template: Path) -> str:
        arguments = (dev.stage.data_stack, "--template", str(template))
        return command.run("diff", *arguments, report=lambda _: None, app=[str(dev.folder)])

    assert {(loss.resource, loss.impact) for loss in losses(diff(tmp_path / "before.json"))} == {
        ("ArtifactStoreBucket47CE7D81", "replace"),
        ("OldTable", "destroy"),
    }
    assert losses(diff(dev.folder / f"{dev.stage.data_stack}.template.json")) == []


def _fixed(kind: str) -> list[str]:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    names = [pointer.split("/")[2] for pointer in schema["createOnlyProperties"]]
    assert names
    return names


def _indexes(table: dict[str, Any]) -> dict[str, Any]:
    return {index["IndexName"]: index["KeySchema"] for index in table["Properties"]["GlobalSecondaryIndexes"]}
