"""Flows and deployments in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import takewhile

from msgspec.structs import replace

from dagy.core.errors import Conflict
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.adapters.memory.pages import Listed, first_page, page_of
from dagy_runtime.adapters.rules import has_tags
from dagy_runtime.values import Deployment, FlowVersion, Page


class MemoryRegistry:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flows: Listed[FlowVersion] = Listed()
        self._latest: dict[str, str] = {}
        self._revisions: dict[tuple[str, str, str], FlowVersion] = {}
        self._deployments: Listed[Deployment] = Listed()
        self._deployment_versions: dict[str, list[Deployment]] = {}

    def put_flow(self, flow: FlowVersion) -> FlowVersion:
        with self._lock:
            before = self._flows.get(_flow_key(flow.name, flow.version))
            stored = replace(flow, created_at=before.created_at) if before else flow
            self._flows.put(_flow_key(flow.name, flow.version), stored)
            self._latest[flow.name] = flow.version
            self._revisions[flow.name, flow.version, flow.artifact.sha256] = flow
            return stored

    def get_flow(self, name: str, version: str) -> FlowVersion | None:
        with self._lock:
            return self._flows.get(_flow_key(name, version))

    def latest_flow(self, name: str) -> FlowVersion | None:
        with self._lock:
            return self._flows.get(_flow_key(name, self._latest[name])) if name in self._latest else None

    def get_flow_revision(self, name: str, version: str, *, sha256: str) -> FlowVersion | None:
        with self._lock:
            return self._revisions.get((name, version, sha256))

    def list_flows(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        namespace: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        list_name = list_id("flows", namespace, dict(tags or {}))
        after = decode_cursor(list_name, cursor)
        with self._lock:
            found = (
                (key, flow)
                for key, flow in self._flows.upwards(after)
                if _lies_in(flow, namespace) and has_tags(flow.tags, tags)
            )
            return first_page(found, list_name=list_name, limit=limit)

    def list_flow_versions(self, name: str, *, limit: int, cursor: str | None = None) -> Page:
        list_name = list_id("flow-versions", name)
        after = decode_cursor(list_name, cursor)
        with self._lock:
            flows = self._flows.upwards(after or _flow_key(name, ""))
            found = takewhile(lambda pair: pair[1].name == name, flows)
            return first_page(found, list_name=list_name, limit=limit)

    def put_deployment(self, deployment: Deployment, *, expected_version: int | None) -> Deployment:
        with self._lock:
            before = self._deployments.get(deployment.name)
            version = before.deployment_version if before else 0
            if expected_version is not None and expected_version != version:
                raise Conflict(
                    f"Deployment '{deployment.name}' was changed meanwhile: it is at version {version}, "
                    f"not {expected_version}",
                    "Look at it again, then repeat your change.",
                )
            stored = replace(
                deployment,
                deployment_version=version + 1,
                created_at=before.created_at if before else deployment.created_at,
            )
            self._deployments.put(deployment.name, stored)
            self._deployment_versions.setdefault(deployment.name, []).append(stored)
            return stored

    def get_deployment(self, name: str) -> Deployment | None:
        with self._lock:
            return self._deployments.get(name)

    def get_deployment_version(self, name: str, number: int) -> Deployment | None:
        with self._lock:
            versions = self._deployment_versions.get(name, [])
            return versions[number - 1] if 1 <= number <= len(versions) else None

    def list_deployments(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        flow_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        list_name = list_id("deployments", flow_name, *([dict(tags)] if tags else []))
        after = decode_cursor(list_name, cursor)
        with self._lock:
            deployments = self._deployments.upwards(after)
            found = (
                (key, one)
                for key, one in deployments
                if flow_name in (None, one.flow_name) and has_tags(one.tags, tags)
            )
            return first_page(found, list_name=list_name, limit=limit)

    def list_deployment_versions(self, name: str, *, limit: int, cursor: str | None = None) -> Page:
        with self._lock:
            versions = list(self._deployment_versions.get(name, ()))
        return page_of(
            versions,
            sort_key=lambda one: f"{one.deployment_version:08d}",
            list_name=list_id("deployment-versions", name),
            limit=limit,
            cursor=cursor,
            newest=True,
        )

    def delete_deployment(self, name: str) -> bool:
        with self._lock:
            self._deployment_versions.pop(name, None)
            return self._deployments.pop(name) is not None


def _flow_key(name: str, version: str) -> str:
    return f"{name}#{version}"


def _lies_in(flow: FlowVersion, namespace: str | None) -> bool:
    return not namespace or flow.namespace == namespace or flow.namespace.startswith(f"{namespace}/")
