"""The dependency packages of a deploy: refused before anything is uploaded, and what they still lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dagy.client import models as m
from dagy.client.http import DagyClient
from dagy.core.errors import APIError, NotFound
from dagy.core.offer import Offer
from dagy.core.platforms import Platform
from dagy.core.sizes import Size
from dagy.deploy.candidate import Candidate
from dagy.packages.together import Registered, check_together


def find_packages(client: DagyClient, slugs: Sequence[str]) -> list[m.PackageResponse]:
    """Raises: NotFound naming the first that the stage does not know."""
    return [_find(client, slug) for slug in slugs]


def check_packages(packages: Sequence[m.PackageResponse], offer: Offer, size: str) -> None:
    """Raises: InvalidInput when they cannot be had together on the stage."""
    if size in Size._value2member_map_:
        check_together(list(map(_registered, packages)), offer, Size(size))


def missing(candidate: Candidate, packages: Sequence[m.PackageResponse]) -> Iterator[str]:
    """Warnings for what the flow imports and nobody brings."""
    for absent in candidate.absent:
        if not any(absent.is_in(package.modules, package.distributions) for package in packages):
            attached = f", nor do {', '.join(package.slug for package in packages)}" if packages else ""
            yield (
                f"The flow imports {absent.text}, which is not in the artifact; the runtimes do not have it{attached}. "
                "Attach a package that holds it: dagy packages create requirements.txt"
            )


def _find(client: DagyClient, slug: str) -> m.PackageResponse:
    try:
        return client.get_package(slug)
    except APIError as error:
        if error.status_code != 404:
            raise
        raise NotFound("dependency package", slug, "`dagy packages list` shows those there are.") from None


def _registered(package: m.PackageResponse) -> Registered:
    platform = package.platform
    return Registered(
        package.slug,
        package.name,
        Platform(platform.system, platform.architecture, platform.python_version),
        package.distributions,
        package.unpacked_bytes,
    )
