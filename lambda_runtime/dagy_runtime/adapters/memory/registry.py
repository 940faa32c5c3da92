"""Flows and deployments in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from msgspec.structs import replace

from dagy.core.errors import Conflict
from dagy_runtime.adapters.cursors import list_id
from dagy_runtime.adapters.memory.pages import page_of
from dagy_runtime.values import Deployment, FlowVersion, Page


class MemoryRegistry:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flows: dict[tuple[str, str], FlowVersion] = {}
        self._latest: dict[str, str] = {}
        self._deployments: dict[str, Deployment] = {}

    def put_flow(self, flow: FlowVersion) -> FlowVersion:
        with self._lock:
            before = self._flows.get((flow.name, flow.version))
            stored = replace(flow, created_at=before.created_at) if before else flow
            self._flows[flow.name, flow.version] = stored
            self._latest[flow.name] = flow.version
            return stored

    def get_flow(self, name: str, version: str) -> FlowVersion | None:
        with self._lock:
            return self._flows.get((name, version))

    def latest_flow(self, name: str) -> FlowVersion | None:
        with self._lock:
            return self._flows[name, self._latest[name]] if name in self._latest else None

    def list_flows(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        namespace: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        with self._lock:
            flows = list(self._flows.values())
        return page_of(
            (flow for flow in flows if _lies_in(flow, namespace) and _has_tags(flow, tags)),
            sort_key=lambda flow: f"{flow.name}#{flow.version}",
            list_name=list_id("flows", namespace, dict(tags or {})),
            limit=limit,
            cursor=cursor,
            newest=False,
        )

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
            self._deployments[deployment.name] = stored
            return stored

    def get_deployment(self, name: str) -> Deployment | None:
        with self._lock:
            return self._deployments.get(name)

    def list_deployments(self, *, limit: int, cursor: str | None = None, flow_name: str | None = None) -> Page:
        with self._lock:
            deployments = list(self._deployments.values())
        return page_of(
            (one for one in deployments if flow_name is None or one.flow_name == flow_name),
            sort_key=lambda one: one.name,
            list_name=list_id("deployments", flow_name),
            limit=limit,
            cursor=cursor,
            newest=False,
        )

    def delete_deployment(self, name: str) -> bool:
        with self._lock:
            return self._deployments.pop(name, None) is not None


def _lies_in(flow: FlowVersion, namespace: str | None) -> bool:
    return not namespace or flow.namespace == namespace or flow.namespace.startswith(f"{namespace}/")


def _has_tags(flow: FlowVersion, tags: Mapping[str, str] | None) -> bool:
    return all(flow.tags.get(key) == value for key, value in (tags or {}).items())
