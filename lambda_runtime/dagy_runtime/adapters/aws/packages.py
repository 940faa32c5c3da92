"""Dependency packages in the table.

IAM: what `table` and `packing` say; to read one, dynamodb:GetItem on the table and s3:GetObject on `state/*`.
"""

from __future__ import annotations

from msgspec.structs import asdict

from dagy.core.platforms import Platform
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.aws.lists import page
from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.adapters.aws.run_items import artifact
from dagy_runtime.adapters.aws.table import Refused, Table, setting
from dagy_runtime.adapters.cursors import decode_cursor, list_id
from dagy_runtime.values import Package, Page


class DynamoPackages:
    def __init__(self, table: Table, packing: Packing) -> None:
        self._table, self._packing = table, packing

    def put_package(self, package: Package) -> Package:
        created = ("created_at", "created_by", *schema.package_index("", ""))
        change, values = setting(self._item(package), keep_first=created)
        stored = self._table.update(schema.package_key(package.slug), change, values=values)
        assert not isinstance(stored, Refused)  # noqa: S101 - there is no condition
        return self._package(stored)

    def get_package(self, slug: str) -> Package | None:
        item = self._table.get(schema.package_key(slug))
        return self._package(item) if item else None

    def list_packages(self, *, limit: int, cursor: str | None = None) -> Page:
        list_name = list_id("packages")
        found = self._table.query(
            "PACKAGES",
            index=schema.BY_KIND,
            after=decode_cursor(list_name, cursor),
            is_newest_first=True,
            page_size=limit + 1,
        )
        return page(found, list_name=list_name, limit=limit, sort_key="gsi4sk", read=self._package)

    def delete_package(self, slug: str) -> bool:
        return self._table.delete(schema.package_key(slug)) is not None

    def _item(self, package: Package) -> Item:
        held = {"distributions": dict(package.distributions), "modules": list(package.modules)}
        platform = package.platform
        return {
            "slug": package.slug,
            "name": package.name,
            "artifact": asdict(package.artifact),
            "contents_sha256": package.contents_sha256,
            "platform": [platform.system, platform.architecture, platform.python_version],
            "holds": self._packing.packed(held, owner=f"packages/{package.slug}"),
            "unpacked_bytes": package.unpacked_bytes,
            "file_count": package.file_count,
            "created_at": package.created_at,
            "created_by": package.created_by,
            "bytecode": package.bytecode,
            **schema.package_index(package.slug, package.created_at),
        }

    def _package(self, item: Item) -> Package:
        held = self._packing.unpacked(item["holds"])
        return Package(
            slug=item["slug"],
            name=item["name"],
            artifact=artifact(item["artifact"]),
            contents_sha256=item["contents_sha256"],
            platform=Platform(*item["platform"]),
            distributions=held["distributions"],
            modules=tuple(held["modules"]),
            unpacked_bytes=item["unpacked_bytes"],
            file_count=item["file_count"],
            created_at=item["created_at"],
            created_by=item["created_by"],
            bytecode=item.get("bytecode"),
        )
