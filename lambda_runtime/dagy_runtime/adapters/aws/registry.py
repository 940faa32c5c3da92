"""Flows and deployments in the table.

IAM: what `table` and `packing` say.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Final

from msgspec.structs import replace

from dagy.core.errors import Conflict, Unavailable
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.aws.lists import FILTERED_PAGE_SIZE, page
from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.adapters.aws.registry_items import RegistryItems
from dagy_runtime.adapters.aws.schema import Key
from dagy_runtime.adapters.aws.table import Put, Refused, Table, Update, setting
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.adapters.rules import has_tags
from dagy_runtime.values import Deployment, FlowVersion, Page

_TRIES: Final = 50  # of a put that expects nothing, which somebody else's may come before each time


class DynamoRegistry:
    def __init__(self, table: Table, packing: Packing) -> None:
        self._table = table
        self._items = RegistryItems(packing)

    def put_flow(self, flow: FlowVersion) -> FlowVersion:
        """Three writes, what others refer to first: should a later one be lost, a repeat does it."""
        item = self._items.of_flow(flow)
        self._table.put(schema.flow_revision_key(flow.name, flow.version, flow.artifact.sha256), _unindexed(item))
        change, values = setting(item, keep_first=("created_at",))
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

        def matches(item: Item) -> bool:
            return _lies_in(item, namespace) and has_tags(item["tags"], tags)

        return page(
            found,
            list_name=list_name,
            limit=limit,
            sort_key="gsi4sk",
            read=self._items.flow,
            matches=matches if namespace or tags else None,
        )

    def get_flow_revision(self, name: str, version: str, *, sha256: str) -> FlowVersion | None:
        item = self._table.get(schema.flow_revision_key(name, version, sha256))
        return self._items.flow(item) if item else None

    def list_flow_versions(self, name: str, *, limit: int, cursor: str | None = None) -> Page:
        list_name = list_id("flow-versions", name)
        found = self._table.query(
            schema.flow_key(name, "").pk,
            after=decode_cursor(list_name, cursor) or schema.FLOW_VERSION_PREFIX,
            page_size=limit + 1,
        )
        versions = takewhile(lambda item: item["sk"].startswith(schema.FLOW_VERSION_PREFIX), found)
        return page(versions, list_name=list_name, limit=limit, sort_key="sk", read=self._items.flow)

    def put_deployment(self, deployment: Deployment, *, expected_version: int | None) -> Deployment:
        """The deployment and its new version are written together or not at all."""
        token = uuid.uuid4().hex
        for _ in range(_TRIES):
            item = self._table.get(schema.deployment_key(deployment.name))
            before = self._items.deployment(item) if item else None
            version = before.deployment_version if before else 0
            if expected_version not in (None, version):
                raise _changed_meanwhile(deployment.name, version, expected_version)
            created_at = before.created_at if before else deployment.created_at
            stored = replace(deployment, deployment_version=version + 1, created_at=created_at)
            reasons = self._table.transact(self._put_writes(stored, before, token))
            if reasons is None:
                return stored
            found = reasons[0].found if reasons[0] else None
            if found and found.get("changed_by_call") == token:
                return self._items.deployment(found)  # the reply to our own write was lost
            if expected_version is not None:
                now_at = found["deployment_version"] if found else 0
                raise _changed_meanwhile(deployment.name, now_at, expected_version)
        raise Unavailable(f"Deployment '{deployment.name}' is being changed by others all the time", "Try again.")

    def _put_writes(self, stored: Deployment, before: Deployment | None, token: str) -> list[Put | Update]:
        change, values = setting(
            {
                **self._items.of_deployment(stored),
                "deployment_version": stored.deployment_version,
                "changed_by_call": token,
            }
        )
        when = "#deployment_version = :before AND #created_at = :created_at" if before else "attribute_not_exists(#pk)"
        expected = {":before": before.deployment_version} if before else {}
        # The version before was written by a Dagy that kept none: the last moment to keep it.
        kept = [before, stored] if before and before.artifact_sha256 is None else [stored]
        return [
            Update(schema.deployment_key(stored.name), change, when, {**values, **expected}),
            *(Put(_version_key(one), self._version_item(one)) for one in kept),
        ]

    def _version_item(self, deployment: Deployment) -> Item:
        item = self._items.of_deployment(deployment)
        return {**_unindexed(item), "deployment_version": deployment.deployment_version}

    def get_deployment(self, name: str) -> Deployment | None:
        item = self._table.get(schema.deployment_key(name))
        return self._items.deployment(item) if item else None

    def list_deployments(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        flow_name: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Page:
        list_name = list_id("deployments", flow_name, *([dict(tags)] if tags else []))
        index = schema.BY_KIND if flow_name is None else schema.BY_FLOW
        found = self._table.query(
            "DEPLOYMENTS" if flow_name is None else f"DEPLOYMENTS#{flow_name}",
            index=index,
            after=decode_cursor(list_name, cursor),
            page_size=FILTERED_PAGE_SIZE if tags else limit + 1,
        )
        return page(
            found,
            list_name=list_name,
            limit=limit,
            sort_key="name",
            read=self._items.deployment,
            matches=(lambda item: has_tags(item["tags"], tags)) if tags else None,
        )

    def get_deployment_version(self, name: str, number: int) -> Deployment | None:
        current = self.get_deployment(name)
        if current is None or current.deployment_version == number:
            return current
        item = self._table.get(schema.deployment_version_key(name, current.created_at, number))
        return self._items.deployment(item) if item else None

    def list_deployment_versions(self, name: str, *, limit: int, cursor: str | None = None) -> Page:
        list_name = list_id("deployment-versions", name)
        after = decode_cursor(list_name, cursor)
        current = self.get_deployment(name)
        if current is None:
            return Page(())
        found = self._versions(current, after=after, page_size=limit + 1)
        return page(found, list_name=list_name, limit=limit, sort_key="sk", read=self._items.deployment)

    def delete_deployment(self, name: str) -> bool:
        """First the deployment, then its versions: should the second be lost, nobody sees what is left."""
        item = self._table.delete(schema.deployment_key(name))
        if item is None:
            return False
        versions = self._versions(self._items.deployment(item), page_size=FILTERED_PAGE_SIZE)
        self._table.delete_batch(Key(version["pk"], version["sk"]) for version in versions)
        return True

    def _versions(self, deployment: Deployment, *, page_size: int, after: str | None = None) -> Iterator[Item]:
        prefix = schema.deployment_version_prefix(deployment.created_at)
        found = self._table.query(
            schema.deployment_key(deployment.name).pk,
            after=after or f"{prefix[:-1]}$",  # above every version: `$` comes after `#`
            is_newest_first=True,
            page_size=page_size,
        )
        return takewhile(lambda item: item["sk"].startswith(prefix), found)


def _version_key(deployment: Deployment) -> Key:
    return schema.deployment_version_key(deployment.name, deployment.created_at, deployment.deployment_version)


def _unindexed(item: Item) -> Item:
    """Of something that is looked up by its key and never listed among its kind."""
    return {name: value for name, value in item.items() if not name.startswith("gsi")}


def _changed_meanwhile(name: str, version: int, expected_version: int | None) -> Conflict:
    return Conflict(
        f"Deployment '{name}' was changed meanwhile: it is at version {version}, not {expected_version}",
        "Look at it again, then repeat your change.",
    )


def _lies_in(item: Item, namespace: str | None) -> bool:
    return not namespace or item["namespace"] == namespace or item["namespace"].startswith(f"{namespace}/")
