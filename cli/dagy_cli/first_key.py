"""The first key of a stage: whoever holds AWS credentials for its table may make it. IAM is the root of trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagy.aws import Aws, translated
from dagy.config import Profile, resolve_profile, write_profile
from dagy.core.errors import NotFound
from dagy.deploy.destination import DEFAULT_STAGE
from dagy.manifest import Manifest, read_manifest
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.keys import DynamoKeys
from dagy_runtime.adapters.aws.people import DynamoAuditLog
from dagy_runtime.adapters.aws.system import RandomIds, SystemClock
from dagy_runtime.adapters.aws.table import Table
from dagy_runtime.engine.first_keys import mint_first_key
from dagy_runtime.values import Role


class _ProfileClients(Clients):
    """The clients of a profile, which may point at an emulator."""

    def __init__(self, aws: Aws) -> None:
        super().__init__({})
        self._aws = aws

    def get(self, service: str) -> Any:
        return self._aws.client(service)


@dataclass(frozen=True, slots=True)
class Minted:
    """A new key, as the API would answer it, and the stage it opens."""

    key: dict[str, Any]
    manifest: Manifest
    endpoint_url: str | None

    def save_profile(self, name: str | None) -> str:
        """Write a profile for the stage with the key in it, and return its name: the stage's, unless one is given."""
        name = name or self.manifest.stage
        write_profile(
            name,
            api_url=self.manifest.api_url,
            app_url=self.manifest.app_url,
            stage=self.manifest.stage,
            region=self.manifest.region,
            endpoint_url=self.endpoint_url,
            issuer=self.manifest.issuer,
            client_id=self.manifest.client_id,
            api_key=self.key["key"],
        )
        return name


def mint_with_aws_credentials(profile_name: str | None, stage: str | None, wanted: Mapping[str, Any]) -> Minted:
    """Make a key in the table of the stage, found through its manifest. A repeat makes another key.

    Raises: NotFound when the stage is not provisioned, InvalidInput for a name or expiry that cannot be, and what
    `dagy.aws.translated` raises.
    """
    profile = _profile(profile_name)
    aws = Aws.of(profile)
    manifest = read_manifest(stage or profile.stage or DEFAULT_STAGE, aws)
    identity = aws.client("sts")
    with translated("asking who we are"):
        created_by = str(identity.get_caller_identity()["Arn"])
    table, clock = Table(_ProfileClients(aws), manifest.table), SystemClock()
    with translated(f"writing a key to the table of stage {manifest.stage}"):
        key, text = mint_first_key(
            DynamoKeys(table),
            DynamoAuditLog(table, clock),
            clock,
            RandomIds(),
            name=wanted["name"],
            role=Role(wanted["role"]),
            expires_in_days=wanted["expires_in_days"],
            created_by=created_by,
        )
    answer = {"key": text, "id": key.id, "name": key.name, "role": key.role.value, "expires_at": key.expires_at}
    return Minted(answer, manifest, profile.endpoint_url)


def _profile(name: str | None) -> Profile:
    """The profile in force; one that does not exist yet will be written, so nothing is known of it."""
    try:
        return resolve_profile(name)
    except NotFound:
        return Profile()
