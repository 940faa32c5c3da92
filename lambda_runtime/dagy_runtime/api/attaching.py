"""Whether a deployment's dependency packages can be had together: refused here by name, not at night by a run."""

from __future__ import annotations

from collections.abc import Sequence

from dagy.core.errors import Conflict, InvalidInput, NotFound
from dagy.core.offer import Offer
from dagy.core.slugs import checked_slug
from dagy.packages.contents import PackageContents
from dagy.packages.reading import read_contents
from dagy.packages.together import Registered, check_count, check_together
from dagy_runtime.ports import Ports
from dagy_runtime.values import Deployment, Package


def check_attached(ports: Ports, offer: Offer, deployment: Deployment) -> None:
    """Raises: NotFound for a package that is not registered; InvalidInput for one that is given twice, was built for
    another platform or clashes with another, and for too much of them.
    """
    check_count(deployment.packages)
    packages = [find_package(ports, slug) for slug in deployment.packages]
    check_together(list(map(_registered, packages)), offer, deployment.size)
    if len(packages) > 1:
        _check_files([(package, _contents(ports, package)) for package in packages])


def find_package(ports: Ports, slug: str) -> Package:
    package = ports.packages.get_package(checked_slug(slug))
    if package is None:
        raise NotFound("dependency package", slug, "`dagy packages list` shows those there are.")
    return package


def _registered(package: Package) -> Registered:
    return Registered(package.slug, package.name, package.platform, package.distributions, package.unpacked_bytes)


def _check_files(packages: Sequence[tuple[Package, PackageContents]]) -> None:
    """Bytecode aside: the same module compiled by two patch levels of Python differs, and either will do."""
    seen: dict[str, tuple[Package, str]] = {}
    for package, contents in packages:
        for entry in contents.sources.files:
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
