"""What the audit log says of a request that changed something: derived from its route, so that no route is forgotten.

`DELETE /deployments/{name}` becomes action `deployments.delete` on `deployments/daily`; `POST /runs/{run_id}/cancel`
becomes `runs.cancel` on `runs/etl-1`. What a POST has made is named by its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dagy.core.timestamps import to_iso
from dagy_runtime.api.context import Already, Context
from dagy_runtime.ports.people import AuditEntry

_VERBS: Final = {"POST": "create", "PUT": "change", "PATCH": "change", "DELETE": "delete"}
_NAMES: Final = ("run_id", "draft_id", "id", "slug", "name")
_MAX: Final = 512


def is_audited(method: str) -> bool:
    return method in _VERBS


def has_changed(result: Any) -> bool:
    """False for what an earlier request had done, and for what was only looked at."""
    return not isinstance(result, Already) and not getattr(result, "dry_run", False)


def action_of(method: str, path: str) -> str:
    """`path` is a route's, with its `{names}`."""
    words = [part for part in path.split("/") if part and not part.startswith("{")]
    if method == "POST" and (len(words) > 1 or words == ["logout"]):  # the last word says what is done
        return ".".join(words)
    return ".".join([*words, _VERBS[method]])


def entry_of(method: str, path: str, parts: Mapping[str, str], result: Any, ctx: Context) -> AuditEntry:
    """`parts` are the path's values, `result` the handler's."""
    return AuditEntry(
        id=ctx.ports.ids.unique(),
        at=to_iso(ctx.ports.clock.now()),
        actor_kind=ctx.caller.kind,
        actor_id=ctx.caller.id,
        actor_name=ctx.caller.name,
        action=action_of(method, path),
        resource=_resource(path, parts, result)[:_MAX],
        request_id=ctx.request_id,
    )


def _resource(path: str, parts: Mapping[str, str], result: Any) -> str:
    noun = path.split("/")[1]
    if noun == "users":  # whichever of their names was used
        return f"{noun}/{result.email}"
    if parts:
        return "/".join([noun, *parts.values()])
    if noun == "flows":
        return f"{noun}/{result.flow_name}/{result.flow_version}"
    name = next((value for field in _NAMES if (value := getattr(result, field, None))), None)
    return f"{noun}/{name}" if name else noun
