"""The query parameters of the lists. Unknown ones are refused; list fields may be repeated."""

from __future__ import annotations

from typing import Annotated, List, Optional

import msgspec

Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Query(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`limit` is at most how many; fewer come when they are large. `cursor` is the page before's `next_cursor`."""

    limit: Limit = 100


class PageQuery(Query):
    cursor: Optional[str] = None


class FlowQuery(PageQuery):
    """`namespace` matches itself and what lies below it; `tag` is `key:value`, and all given must match."""

    namespace: Optional[str] = None
    tag: List[str] = []


class DeploymentQuery(PageQuery):
    """`tag` is `key:value`, and all given must match."""

    flow_name: Optional[str] = None
    tag: List[str] = []


class DraftQuery(PageQuery):
    """`tag` is `key:value`, and all given must match."""

    tag: List[str] = []


class RunQuery(PageQuery):
    """Runs that have one of the statuses, when any are given, and were created after and before, neither included."""

    flow_name: Optional[str] = None
    deployment: Optional[str] = None
    status: List[str] = []
    trigger: Optional[str] = None
    after: Optional[str] = None
    before: Optional[str] = None


class DeadLetterQuery(PageQuery):
    """`run_id`: those about that run."""

    run_id: Optional[str] = None


class AuditQuery(PageQuery):
    """`actor` is an id, a key's name or an email address; `resource` is like `deployments/daily`, or `deployments`."""

    actor: Optional[str] = None
    resource: Optional[str] = None


class EventQuery(Query):
    """`after` is the id of the last event already known."""

    after: Optional[str] = None


class LogQuery(Query):
    """`after` is the `next_cursor` of the answer before. Lines are small, so many fit into one answer."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    after: Optional[str] = None
    task_run_id: Optional[str] = None
