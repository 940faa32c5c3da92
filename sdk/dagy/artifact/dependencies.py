"""The installed distributions a flow imports, and which of them the runtimes on AWS do not have."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Final

# What the runtimes bring along, by the names it is imported under.
BUNDLED: Final = frozenset(
    {"boto3", "botocore", "cronsim", "dateutil", "fastjsonschema", "jmespath", "msgspec", "s3transfer", "six", "tzdata"}
    | {"urllib3"}
)


@dataclass(frozen=True, slots=True)
class Dependencies:
    versions: Mapping[str, str]  # by distribution
    warnings: tuple[str, ...]


def dependencies_of(modules: Iterable[str]) -> Dependencies:
    """For top-level module names that are importable here."""
    versions: dict[str, str] = {}
    absent: list[str] = []
    for module in sorted(modules):
        names = _distributions(module)
        versions.update((name, metadata.version(name)) for name in names)
        if module not in BUNDLED:
            absent.append(" and ".join(f"{name} {versions[name]}" for name in names) or f"module '{module}'")
    return Dependencies(dict(sorted(versions.items())), tuple(map(_warning, absent)))


def _warning(what: str) -> str:
    return f"{what} is not in the artifact, and the runtimes do not bring it: tasks that import it will fail there"


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
