"""Dependency packages in memory."""

from __future__ import annotations

import threading

from msgspec.structs import replace

from dagy_runtime.adapters.cursors import list_id
from dagy_runtime.adapters.memory.pages import page_of
from dagy_runtime.values import Package, Page


class MemoryPackages:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._packages: dict[str, Package] = {}

    def put_package(self, package: Package) -> Package:
        with self._lock:
            before = self._packages.get(package.slug)
            if before:
                package = replace(package, created_at=before.created_at, created_by=before.created_by)
            self._packages[package.slug] = package
            return package

    def get_package(self, slug: str) -> Package | None:
        with self._lock:
            return self._packages.get(slug)

    def list_packages(self, *, limit: int, cursor: str | None = None) -> Page:
        with self._lock:
            packages = list(self._packages.values())
        return page_of(
            packages,
            sort_key=lambda package: f"{package.created_at}#{package.slug}",
            list_name=list_id("packages"),
            limit=limit,
            cursor=cursor,
            newest=True,
        )

    def delete_package(self, slug: str) -> bool:
        with self._lock:
            return self._packages.pop(slug, None) is not None
