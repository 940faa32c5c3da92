"""Rules for what callers send that several nouns share."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dagy.core.errors import InvalidInput, NotFound
from dagy_runtime.api.context import Context
from dagy_runtime.api.errors import PreconditionFailed
from dagy_runtime.ports import Registry
from dagy_runtime.values import FlowVersion, Page

MAX_TAGS: Final = 50
MAX_TAG_KEY: Final = 128
MAX_TAG_VALUE: Final = 256
LATEST: Final = "latest"
_NAMES_LOOKED_AT: Final = 200


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Raises: InvalidInput beyond 50 tags, or for a key or value that is too long, or a key that is empty."""
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"{len(tags)} tags are too many", f"At most {MAX_TAGS} are allowed.")
    for key, value in tags.items():
        if not 0 < len(key) <= MAX_TAG_KEY or not key.isprintable():
            raise InvalidInput(f"Invalid tag key {key[:50]!r}", f"A key is 1–{MAX_TAG_KEY} printable characters.")
        if len(value) > MAX_TAG_VALUE:
            raise InvalidInput(f"The value of tag {key!r} is too long", f"At most {MAX_TAG_VALUE} characters.")
    return dict(tags)


def checked_tag_filter(texts: Sequence[str]) -> dict[str, str]:
    """`key:value`, once per tag. Raises: InvalidInput."""
    tags: dict[str, str] = {}
    for text in texts:
        key, colon, value = text.partition(":")
        if not colon or not key:
            raise InvalidInput(f"Invalid tag filter {text[:100]!r}", "Write tag=key:value, once per tag.")
        if tags.setdefault(key, value) != value:
            raise InvalidInput(f"Nothing can have two values of tag {key[:100]!r}", "All given tags must match.")
    return tags


def check_expected(ctx: Context, kind: str, name: str, version: int) -> None:
    """Raises: PreconditionFailed when the request's `If-Match` is another version's ETag."""
    if ctx.if_match is not None and ctx.if_match != version:
        stands = f"at version {version}" if version else "not there"
        raise PreconditionFailed(
            f"{kind.capitalize()} '{name}' is {stands}; If-Match says {ctx.if_match}",
            "Somebody changed it meanwhile: look at it again, then repeat your change.",
        )


def flow_to_use(registry: Registry, name: str, version: str) -> FlowVersion:
    """The flow of that version. `latest` is the version of that very name when there is one, else the one registered
    last; so every version can be asked for, and `latest` always finds something.

    Raises: NotFound with the names or versions that look alike.
    """
    flow = registry.get_flow(name, version)
    if flow is None and version == LATEST:
        flow = registry.latest_flow(name)
    if flow is not None:
        return flow
    newest = registry.latest_flow(name)
    if newest is not None:
        hint = f"The version of '{name}' registered last is '{newest.version}'."
        raise NotFound("flow", f"{name} {version}", hint)
    raise NotFound("flow", name, near(name, lambda: registry.list_flows(limit=_NAMES_LOOKED_AT)))


def no_deployment(registry: Registry, name: str) -> NotFound:
    return NotFound("deployment", name, near(name, lambda: registry.list_deployments(limit=_NAMES_LOOKED_AT)))


def near(name: str, read: Callable[[], Page]) -> str:
    """A hint with names that look like `name`, among the first 200."""
    names = list(dict.fromkeys(item.name for item in read().items))
    alike = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if alike:
        return f"Did you mean {' or '.join(alike)}?"
    return f"There are: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}" if names else "There are none yet."
