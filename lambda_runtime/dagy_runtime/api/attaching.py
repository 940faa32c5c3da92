"""Whether a deployment's dependency packages can be had together: refused here by name, not at night by a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.offer import MAX_PACKAGES, MAX_PACKAGES_UNPACKED_BYTES, Offer
from dagy.core.sizes import SHAPES, Size
from dagy.core.slugs import checked_slug
from dagy.packages.contents import PackageContents
from dagy.packages.reading import read_contents
from dagy_runtime.ports import Ports
from dagy_runtime.values import Deployment, Package

_BYTES_PER_MEMORY: Final = 2
"""What a package takes in memory once it is imported is a third to a half of what it takes on the disk."""


def check_attached(ports: Ports, offer: Offer, deployment: Deployment) -> None:
    """Raises: NotFound for a package that is not registered; InvalidInput for one that is given twice, was built for
    another platform or clashes with another, and for too much of them.
    """
    slugs = deployment.packages
    if len(slugs) > MAX_PACKAGES:
        raise InvalidInput(
            f"{len(slugs)} dependency packages are too many", f"At most {MAX_PACKAGES}: put them together."
        )
    for slug, count in Counter(slugs).items():
        if count > 1:
            raise InvalidInput(f"Package {slug} is given twice")
    packages = [find_package(ports, slug) for slug in slugs]
    for package in packages:
        _check_platform(package, offer)
    _check_versions(packages)
    check_room(packages, deployment.size)
    if len(packages) > 1:
        _check_files([(package, _contents(ports, package)) for package in packages])


def find_package(ports: Ports, slug: str) -> Package:
    package = ports.packages.get_package(checked_slug(slug))
    if package is None:
        raise NotFound("dependency package", slug, "`dagy packages list` shows those there are.")
    return package


def check_room(packages: Sequence[Package], size: Size) -> None:
    """Raises: InvalidInput when they do not fit on a function's disk, or hardly into the memory of that size."""
    unpacked_bytes = sum(package.unpacked_bytes for package in packages)
    each = ", ".join(f"{package.slug} {package.unpacked_bytes / 2**20:.0f} MiB" for package in packages)
    what = f"The packages unpack to {unpacked_bytes / 2**20:.0f} MiB ({each})"
    if unpacked_bytes > MAX_PACKAGES_UNPACKED_BYTES:
        raise InvalidInput(what, f"At most {MAX_PACKAGES_UNPACKED_BYTES // 2**20} MiB fit on a function's disk.")
    memory_mib = SHAPES[size].lambda_memory_mib
    if unpacked_bytes > _BYTES_PER_MEMORY * memory_mib * 2**20:
        fitting = next(s for s in Size if _BYTES_PER_MEMORY * SHAPES[s].lambda_memory_mib * 2**20 >= unpacked_bytes)
        raise InvalidInput(
            f"{what}, more than twice the {memory_mib} MiB of size '{size}'",
            f"Use --execution-mode {fitting} or larger.",
        )


def _check_platform(package: Package, offer: Offer) -> None:
    if package.platform != offer.platform and offer.platform is not None:
        raise InvalidInput(
            f"Package {package.slug} ('{package.name}') was built for {package.platform.name}, "
            f"but stage '{offer.stage}' runs {offer.platform.name}",
            "Create it again for this stage: dagy packages create requirements.txt",
        )


def _check_versions(packages: Sequence[Package]) -> None:
    seen: dict[str, tuple[Package, str, str]] = {}
    for package in packages:
        for name, version in package.distributions.items():
            other, spelt, known = seen.setdefault(_normal(name), (package, name, version))
            if known != version:
                raise InvalidInput(
                    f"Packages clash: {other.slug} holds {spelt} {known}, {package.slug} holds {name} {version}",
                    "Create one of them again with the same version, or one package of both requirements.",
                )


def _check_files(packages: Sequence[tuple[Package, PackageContents]]) -> None:
    seen: dict[str, tuple[Package, str]] = {}
    for package, contents in packages:
        for entry in contents.files:
            other, sha256 = seen.setdefault(entry.path, (package, entry.sha256))
            if sha256 != entry.sha256:
                raise InvalidInput(
                    f"Packages clash: {other.slug} and {package.slug} both hold {entry.path}, with different contents",
                    "Create one package of both requirements.",
                )


def _contents(ports: Ports, package: Package) -> PackageContents:
    artifact = package.artifact
    try:
        with ports.blobs.open(artifact.key, version_id=artifact.version_id) as file:
            contents = read_contents(file)
    except NotFound:
        raise Conflict(f"The zip of package {package.slug} is gone ({artifact.uri})", "Create it again.") from None
    if contents.sha256 != package.contents_sha256:
        raise Conflict(f"The zip of package {package.slug} is not the one registered ({artifact.uri})")
    return contents


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
