"""Flows and deployments in the table.

IAM: what `table` and `packing` say.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from dagy.core.errors import Conflict
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.aws.lists import FILTERED_PAGE_SIZE, page
from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.adapters.aws.registry_items import RegistryItems
from dagy_runtime.adapters.aws.table import Refused, Table, setting
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.values import Deployment, FlowVersion, Page


class DynamoRegistry:
    def __init__(self, table: Table, packing: Packing) -> None:
        self._table = table
        self._items = RegistryItems(packing)

    def put_flow(self, flow: FlowVersion) -> FlowVersion:
        """Two writes: should the second be lost, a repeat makes the version the latest."""
        change, values = setting(self._items.of_flow(flow), keep_first=("created_at",))
        stored = self._table.update(schema.flow_key(flow.name, flow.version), change, values=values)
        assert not isinstance(stored, Refused)  # noqa: S101 - there is no condition
        self._table.put(schema.latest_flow_key(flow.name), {"version": flow.version})
        return self._items.flow(stored)

    def get_flow(self, name: str, version: str) -> FlowVersion | None:
        item = self._table.get(schema.flow_key(name, version))
        return self._items.flow(item) if item else None

    def latest_flow(self, name: str) -> FlowVersion | None:
        latest = self._table.get(schema.latest_flow_key(name))
        return self.get_flow(name, latest["version"]) if latest else None

    def list_flows(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        namespace: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        list_name = list_id("flows", namespace, dict(tags or {}))
        found = self._table.query(
            "FLOWS",
            index=schema.BY_KIND,
            after=decode_cursor(list_name, cursor),
            page_size=FILTERED_PAGE_SIZE if namespace or tags else limit + 1,
        )
        matching = (item for item in found if _lies_in(item, namespace) and _has_tags(item, tags))
        return page(matching, list_name=list_name, limit=limit, sort_key="gsi4sk", read=self._items.flow)

    def put_deployment(self, deployment: Deployment, *, expected_version: int | None) -> Deployment:
        token = uuid.uuid4().hex
        attributes = {**self._items.of_deployment(deployment), "changed_by_call": token}
        change, values = setting(attributes, keep_first=("created_at",))
        count = "#deployment_version = if_not_exists(#deployment_version, :zero) + :one"
        when, expected = _expectation(expected_version)
        stored = self._table.update(
            schema.deployment_key(deployment.name),
            change.replace("SET ", f"SET {count}, ", 1),
            when=when,
            values={**values, **expected, ":zero": 0, ":one": 1},
        )
        if isinstance(stored, Refused):
            if stored.found is None or stored.found.get("changed_by_call") != token:
                raise _changed_meanwhile(deployment.name, stored.found, expected_version)
            stored = stored.found  # the reply to our own write was lost
        return self._items.deployment(stored)

    def get_deployment(self, name: str) -> Deployment | None:
        item = self._table.get(schema.deployment_key(name))
        return self._items.deployment(item) if item else None

    def list_deployments(self, *, limit: int, cursor: str | None = None, flow_name: str | None = None) -> Page:
        list_name = list_id("deployments", flow_name)
        index = schema.BY_KIND if flow_name is None else schema.BY_FLOW
        found = self._table.query(
            "DEPLOYMENTS" if flow_name is None else f"DEPLOYMENTS#{flow_name}",
            index=index,
            after=decode_cursor(list_name, cursor),
            page_size=limit + 1,
        )
        return page(found, list_name=list_name, limit=limit, sort_key="name", read=self._items.deployment)

    def delete_deployment(self, name: str) -> bool:
        return self._table.delete(schema.deployment_key(name)) is not None


def _expectation(version: int | None) -> tuple[str, dict[str, Any]]:
    """As a condition. With no expectation it refuses only the SDK's own repeat of a write that went through."""
    if version is None:
        return "attribute_not_exists(#pk) OR #changed_by_call <> :changed_by_call", {}
    if version == 0:
        return "attribute_not_exists(#pk)", {}
    return "#deployment_version = :expected", {":expected": version}


def _changed_meanwhile(name: str, found: Item | None, expected_version: int | None) -> Conflict:
    version = found["deployment_version"] if found else 0
    return Conflict(
        f"Deployment '{name}' was changed meanwhile: it is at version {version}, not {expected_version}",
        "Look at it again, then repeat your change.",
    )


def _lies_in(item: Item, namespace: str | None) -> bool:
    return not namespace or item["namespace"] == namespace or item["namespace"].startswith(f"{namespace}/")


def _has_tags(item: Item, tags: Mapping[str, str] | None) -> bool:
    return all(item["tags"].get(key) == value for key, value in (tags or {}).items())
