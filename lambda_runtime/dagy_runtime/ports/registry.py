"""Flows and deployments, and what belongs to them: drafts and dependency packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dagy_runtime.values import Deployment, Draft, FlowVersion, Package, Page


class Registry(Protocol):
    """Flows and deployments."""

    def put_flow(self, flow: FlowVersion) -> FlowVersion:
        """Store it; a flow of the same name and version is replaced but keeps its `created_at`. Returns what
        stands now.
        """

    def get_flow(self, name: str, version: str) -> FlowVersion | None: ...

    def latest_flow(self, name: str) -> FlowVersion | None:
        """The version registered last."""

    def get_flow_revision(self, name: str, version: str, *, sha256: str) -> FlowVersion | None:
        """The version as it was registered last with the artifact of that SHA-256, also when it was replaced since."""

    def list_flow_versions(self, name: str, *, limit: int, cursor: str | None = None) -> Page:
        """The versions of one flow, by version."""

    def list_flows(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        namespace: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        """Flow versions by name, then version. `namespace` matches itself and what lies below it; all `tags`
        must match. A page may have fewer than `limit`, even none, while its cursor says that there is more.

        Raises: InvalidInput for a cursor that this list did not give.
        """

    def put_deployment(self, deployment: Deployment, *, expected_version: int | None) -> Deployment:
        """Store it with `deployment_version` one above what stands there (1 when nothing does).

        `expected_version` is the version the caller read (0 for "does not exist"); None means "whatever it is".
        Keeps `created_at`. Returns what stands now. Raises: Conflict when somebody else changed it meanwhile.
        """

    def get_deployment(self, name: str) -> Deployment | None: ...

    def list_deployments(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        flow_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        """By name; all `tags` must match. Pages are as those of `list_flows`."""

    def get_deployment_version(self, name: str, number: int) -> Deployment | None:
        """The deployment as it stood with that `deployment_version`, the one that stands now included."""

    def list_deployment_versions(self, name: str, *, limit: int, cursor: str | None = None) -> Page:
        """The deployment at each of its versions, the newest first. What was written before versions were kept is
        missing, but for the last of it. Nothing when the deployment does not exist.
        """

    def delete_deployment(self, name: str) -> bool:
        """Whether it was there. Its versions go with it, its runs stay."""


class Drafts(Protocol):
    """Pipelines that are being drawn."""

    def put_draft(self, draft: Draft, *, expected_version: int) -> Draft:
        """Store it with `version` one above `expected_version`, the version the caller read (0 for a new one).

        Returns what stands now. Raises: Conflict when somebody else changed or deleted it meanwhile.
        """

    def get_draft(self, draft_id: str) -> Draft | None: ...

    def list_drafts(self, *, limit: int, cursor: str | None = None, tags: Mapping[str, str] | None = None) -> Page:
        """Newest first, without their canvases; all `tags` must match. Pages are as those of `Registry.list_flows`."""

    def delete_draft(self, draft_id: str) -> bool:
        """Whether it was there."""


class Packages(Protocol):
    """Dependency packages."""

    def put_package(self, package: Package) -> Package:
        """Store it; one of the same slug is replaced but keeps its `created_at` and `created_by`. What stands now."""

    def get_package(self, slug: str) -> Package | None: ...

    def list_packages(self, *, limit: int, cursor: str | None = None) -> Page:
        """Newest first."""

    def delete_package(self, slug: str) -> bool:
        """Whether it was there. Its object stays."""
