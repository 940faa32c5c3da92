"""Whether dependency packages can be had together on a stage, as far as what is registered of them tells. Both ends
look here: the API before it writes, a deploy before it uploads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dagy.artifact.dependencies import normal_name
from dagy.core.errors import InvalidInput
from dagy.core.offer import MAX_PACKAGES, MAX_PACKAGES_UNPACKED_BYTES, Offer
from dagy.core.platforms import Platform
from dagy.core.sizes import SHAPES, Size

_BYTES_PER_MEMORY: Final = 2
"""What a package takes in memory once it is imported is a third to a half of what it takes on the disk."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What matters here of a package."""

    slug: str
    name: str
    platform: Platform
    distributions: Mapping[str, str]
    unpacked_bytes: int


def check_count(slugs: Sequence[str]) -> None:
    """Raises: InvalidInput for too many, or one that is given twice."""
    if len(slugs) > MAX_PACKAGES:
        raise InvalidInput(
            f"{len(slugs)} dependency packages are too many", f"At most {MAX_PACKAGES}: put requirements together."
        )
    for slug, count in Counter(slugs).items():
        if count > 1:
            raise InvalidInput(f"Package {slug} is given twice")


def check_together(packages: Sequence[Registered], offer: Offer, size: Size) -> None:
    """Raises: InvalidInput for one that was built for another platform, a distribution in two versions, or more than
    fits on a function's disk, or into the memory of that size.
    """
    for package in packages:
        _check_platform(package, offer)
    _check_versions(packages)
    _check_room(packages, size)


def _check_platform(package: Registered, offer: Offer) -> None:
    if package.platform != offer.platform and offer.platform is not None:
        raise InvalidInput(
            f"Package {package.slug} ('{package.name}') was built for {package.platform.name}, "
            f"but stage '{offer.stage}' runs {offer.platform.name}",
            "Create it again for this stage: dagy packages create requirements.txt",
        )


def _check_versions(packages: Sequence[Registered]) -> None:
    seen: dict[str, tuple[Registered, str, str]] = {}
    for package in packages:
        for name, version in package.distributions.items():
            other, spelt, known = seen.setdefault(normal_name(name), (package, name, version))
            if known != version:
                raise InvalidInput(
                    f"Packages clash: {other.slug} holds {spelt} {known}, {package.slug} holds {name} {version}",
                    "Create one of them again with the same version, or one package of both requirements.",
                )


def _check_room(packages: Sequence[Registered], size: Size) -> None:
    unpacked_bytes = sum(package.unpacked_bytes for package in packages)
    each = ", ".join(f"{package.slug} {package.unpacked_bytes / 2**20:.0f} MiB" for package in packages)
    what = f"The packages unpack to {unpacked_bytes / 2**20:.0f} MiB ({each})"
    if unpacked_bytes > MAX_PACKAGES_UNPACKED_BYTES:
        raise InvalidInput(what, f"At most {MAX_PACKAGES_UNPACKED_BYTES // 2**20} MiB fit on a function's disk.")
    if unpacked_bytes > _room_bytes(size):
        fitting = next(size for size in Size if _room_bytes(size) >= unpacked_bytes)
        memory_mib = SHAPES[size].lambda_memory_mib
        raise InvalidInput(
            f"{what}, more than twice the {memory_mib} MiB of size '{size}'",
            f"Use --execution-mode {fitting} or larger.",
        )


def _room_bytes(size: Size) -> int:
    return _BYTES_PER_MEMORY * SHAPES[size].lambda_memory_mib * 2**20
