"""The installed distributions a flow imports, and which of them the runtimes on AWS do not have."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Final

# What the runtimes bring along, by the names it is imported under.
BUNDLED: Final = frozenset(
    {"boto3", "botocore", "cronsim", "dateutil", "fastjsonschema", "jmespath", "msgspec", "s3transfer", "six", "tzdata"}
    | {"urllib3"}
)
_BUNDLED_DISTRIBUTIONS: Final = BUNDLED - {"dateutil"} | {"python-dateutil"}


@dataclass(frozen=True, slots=True)
class Absent:
    """Something a flow imports that the runtimes do not have. `text` names it for people."""

    text: str
    module: str | None
    distributions: tuple[str, ...]

    def is_in(self, modules: Sequence[str], distributions: Iterable[str]) -> bool:
        """Whether a dependency package of those modules and distributions brings it."""
        held = {normal_name(name) for name in distributions}
        return self.module in modules or any(normal_name(name) in held for name in self.distributions)


@dataclass(frozen=True, slots=True)
class Dependencies:
    versions: Mapping[str, str]  # by distribution
    absent: tuple[Absent, ...]


def dependencies_of(modules: Iterable[str]) -> Dependencies:
    """For top-level module names that are importable here."""
    versions: dict[str, str] = {}
    absent: list[Absent] = []
    for module in sorted(modules):
        names = _distributions(module)
        versions.update((name, metadata.version(name)) for name in names)
        if module not in BUNDLED:
            text = " and ".join(f"{name} {versions[name]}" for name in names) or f"module '{module}'"
            absent.append(Absent(text, module, tuple(names)))
    return Dependencies(dict(sorted(versions.items())), tuple(absent))


def absent_of(versions: Mapping[str, str]) -> tuple[Absent, ...]:
    """From what an artifact tells of itself: versions by distribution."""
    return tuple(
        Absent(f"{name} {version}", None, (name,))
        for name, version in versions.items()
        if normal_name(name) not in _BUNDLED_DISTRIBUTIONS
    )


def warning(absent: Absent) -> str:
    return (
        f"{absent.text} is not in the artifact, and the runtimes do not bring it: tasks that import it will fail there "
        "without a dependency package that holds it (dagy packages create requirements.txt)"
    )


def normal_name(distribution: str) -> str:
    """As package indexes compare them."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@functools.cache
def _distributions(module: str) -> list[str]:
    """Usually the distribution is named like the module. If not, the lists of what is installed are searched as text:
    parsing them, as `packages_distributions()` does, takes ten times as long.
    """
    try:
        return [metadata.distribution(module).metadata["Name"]]
    except metadata.PackageNotFoundError:
        line = re.compile(rf"^{re.escape(module)}(/|\.py,|\.[^/,]*so,)", re.MULTILINE)
        found = {
            each.metadata["Name"] for each in metadata.distributions() if line.search(each.read_text("RECORD") or "")
        }
        return sorted(found)
