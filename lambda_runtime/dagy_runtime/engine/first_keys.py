"""Keys that are made past the API, by whoever holds AWS credentials for the table. They leave the same record."""

from __future__ import annotations

from dagy_runtime.engine.keys import mint_key
from dagy_runtime.ports import Clock, Ids, Keys
from dagy_runtime.ports.people import AuditEntry, AuditLog
from dagy_runtime.values import ApiKey, Role


def mint_first_key(
    keys: Keys,
    audit: AuditLog,
    clock: Clock,
    ids: Ids,
    *,
    name: str,
    role: Role,
    expires_in_days: int | None,
    created_by: str,
) -> tuple[ApiKey, str]:
    """As `mint_key`, then an entry of the audit log, whose actor is `created_by`. When the log does not answer, nobody
    gets to see the key's text, so it is good for nothing.

    Raises: what `mint_key` and the audit log raise.
    """
    key, text = mint_key(keys, clock, ids, name=name, role=role, expires_in_days=expires_in_days, created_by=created_by)
    entry = AuditEntry(
        id=ids.unique(),
        at=key.created_at,
        actor_kind="aws",
        actor_id=created_by,
        actor_name=created_by,
        action="keys.create",
        resource=f"keys/{key.id}",
        request_id=ids.unique(),
    )
    audit.append(entry)
    return key, text
