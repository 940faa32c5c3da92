"""A stage's manifest: everything the stage is found by, in one SSM parameter that its stacks write."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from dagy.aws import Aws, translated
from dagy.core.errors import InvalidInput, NotFound
from dagy.core.names import checked_name

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands in `/dagy/<stage>/manifest`."""

    schema_version: int
    stack_version: str
    stage: str
    region: str
    account: str
    api_url: str
    bucket: str
    table: str
    app_url: str | None = None
    issuer: str | None = None
    client_id: str | None = None
    sign_in_url: str | None = None
    """Where the user pool's own pages are."""
    sizes: tuple[str, ...] | None = None
    """None: stacks that could not leave sizes out wrote it, so it has all of them."""


def parameter_name(stage: str) -> str:
    return f"/dagy/{stage}/manifest"


def parse_manifest(text: str) -> Manifest:
    """Fields that are not known are left out: newer stacks may write more.

    Raises: InvalidInput for text that is no manifest, or one whose schema this Dagy does not know.
    """
    try:
        data: Any = json.loads(text)
        known = {f.name for f in fields(Manifest)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        manifest = Manifest(**{key: value for key, value in values.items() if key in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"The stage's manifest cannot be read: {error}") from error
    if manifest.schema_version != SCHEMA_VERSION:
        raise InvalidInput(
            f"The stage's manifest has schema {manifest.schema_version!r}, this Dagy reads {SCHEMA_VERSION}",
            "Use the Dagy that deployed the stage, or deploy the stage with this one.",
        )
    return manifest


def read_manifest(stage: str, aws: Aws, *, longest_s: float | None = None) -> Manifest:
    """With `longest_s`, it does not wait longer for AWS.

    Raises: NotFound when the stage is not provisioned there, and what `dagy.aws.translated` raises.
    """
    checked_name("stage", stage)
    ssm = aws.client("ssm", longest_s=longest_s)
    with translated(f"reading the manifest of stage {stage}"):
        try:
            answer = ssm.get_parameter(Name=parameter_name(stage))
        except ssm.exceptions.ParameterNotFound:
            raise NotFound(
                "stage", f"{stage} in {aws.region}", f"Provision it: dagy infra deploy --stage {stage}"
            ) from None
    return parse_manifest(answer["Parameter"]["Value"])
