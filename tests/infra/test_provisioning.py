"""What a deploy takes over from the stage as it stands, and what it says when AWS refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from dagy.aws import Aws
from dagy.core.errors import Conflict
from dagy.core.sizes import Size
from dagy.version import VERSION
from dagy_infra.provision import Place, hint_for, refuse_downgrade, standing_sizes
from dagy_infra.stages import stage_config

MANIFEST = {
    "schema_version": 1, "stack_version": "0.1.0", "stage": "dev", "region": "us-east-1", "account": "123456789012",
    "api_url": "https://api.example", "bucket": "b", "table": "t",
}  # fmt: skip
REFUSED = (
    "Dagy-dev-App | 5/60 | 10:00:00 | CREATE_FAILED | AWS::Lambda::Function | Runtimes/Large Resource handler returned "
    "message: \"'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 3008 "
    '(Service: Lambda, Status Code: 400)"'
)


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("ssm", region_name="us-east-1")


@pytest.mark.parametrize(
    "manifest, sizes",
    [
        pytest.param(None, None, id="a stage that is not there"),
        pytest.param({**MANIFEST, "sizes": ["nano", "small"]}, (Size.NANO, Size.SMALL), id="the sizes it was given"),
        pytest.param(MANIFEST, tuple(Size), id="one from before sizes could be chosen"),
        pytest.param({**MANIFEST, "sizes": ["nano", "giant"]}, (Size.NANO,), id="one of a newer Dagy"),
    ],
)
def test_a_deploy_that_names_no_sizes_keeps_those_of_the_stage(
    ssm: Any, manifest: dict[str, Any] | None, sizes: tuple[Size, ...] | None
) -> None:
    if manifest is not None:
        ssm.put_parameter(Name="/dagy/dev/manifest", Type="String", Value=json.dumps(manifest))

    assert standing_sizes(Place(stage_config("dev"), Aws("us-east-1"))) == sizes


@pytest.mark.parametrize(
    "theirs, is_refused",
    [
        pytest.param(None, False, id="no stage yet"),
        pytest.param("0.0.9", False, id="an older Dagy's"),
        pytest.param(VERSION, False, id="one's own"),
        pytest.param("99.10.0", True, id="a newer Dagy's"),
    ],
)
def test_a_stage_that_a_newer_dagy_has_deployed_is_not_taken_back(
    ssm: Any, theirs: str | None, is_refused: bool
) -> None:
    if theirs is not None:
        written = json.dumps({**MANIFEST, "stack_version": theirs})
        ssm.put_parameter(Name="/dagy/dev/manifest", Type="String", Value=written)
    place = Place(stage_config("dev"), Aws("us-east-1"))
    if not is_refused:
        refuse_downgrade(place)
        return
    with pytest.raises(Conflict, match=r"Stage dev was deployed by Dagy 99\.10\.0, which is newer than this") as caught:
        refuse_downgrade(place)
    assert "pip install --upgrade dagy" in str(caught.value.hint) and "--downgrade" in str(caught.value.hint)


def test_an_account_that_gets_no_large_functions_is_told_which_sizes_it_can_have() -> None:
    hint = hint_for(REFUSED)
    assert hint is not None
    assert "at most 3008 MiB" in hint
    assert "--sizes nano,micro,small,medium," in hint
    assert hint_for("Dagy-dev-App | CREATE_FAILED | AWS::IAM::Role | no right") is None


def test_the_cdk_is_told_the_sizes() -> None:
    place = Place(stage_config("dev", sizes=(Size.NANO, Size.MICRO)), Aws("us-east-1"))
    assert place.context() == ["-c", "stage=dev", "-c", "sizes=nano,micro"]
