"""Pinning a deployment's dependency packages to a run: whatever is registered later, the run keeps these."""

from __future__ import annotations

from collections.abc import Sequence

from dagy.core.errors import NotFound
from dagy_runtime.ports import Packages
from dagy_runtime.values import PackageRef


def pinned(packages: Packages, slugs: Sequence[str]) -> tuple[PackageRef, ...]:
    """In the order given. Raises: NotFound naming the first that is not registered any more."""
    return tuple(_pin(packages, slug) for slug in slugs)


def _pin(packages: Packages, slug: str) -> PackageRef:
    package = packages.get_package(slug)
    if package is None:
        raise NotFound("dependency package", slug, "Create it again, or deploy with others: --dep-packages SLUG …")
    return PackageRef(package.slug, package.artifact, package.unpacked_bytes)
