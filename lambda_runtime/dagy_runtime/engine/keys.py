"""API keys: made here, told apart here.

A key's text is `dgy_<id>_<secret>`. The id finds the record, the secret proves it; only the secret's SHA-256 is kept.
A plain hash is enough, because the secret is 256 bits of chance and cannot be guessed from it. The text exists in
the answer that creates it and in the request that uses it, never in a log, an error or a stored value.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from dagy.core.errors import InvalidInput, KeyExpired, Unauthenticated
from dagy.core.timestamps import to_iso
from dagy_runtime.ports import Clock, Ids, Keys
from dagy_runtime.values import ApiKey, Role

PREFIX: Final = "dgy_"
MAX_EXPIRY_DAYS: Final = 3650

_TEXT: Final = re.compile(r"dgy_(?P<id>[A-Za-z0-9]{12,64})_(?P<secret>[A-Za-z0-9_\-]{32,128})", re.ASCII)
_NOBODY: Final = hashlib.sha256(b"").hexdigest()
_DAY_S: Final = 86_400


def mint_key(
    keys: Keys, clock: Clock, ids: Ids, *, name: str, role: Role, expires_in_days: int | None, created_by: str
) -> tuple[ApiKey, str]:
    """Make a key; the second value is its text, which nobody can ever see again. A repeat makes another key.

    Raises: InvalidInput for a name that is empty, over 100 characters or unprintable, or an expiry outside 1–3650 days.
    """
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise InvalidInput(f"Invalid key name {name[:100]!r}", "A key's name is 1–100 printable characters.")
    if expires_in_days is not None and not 1 <= expires_in_days <= MAX_EXPIRY_DAYS:
        raise InvalidInput(
            f"A key cannot expire in {expires_in_days} days", f"Give 1–{MAX_EXPIRY_DAYS} days, or none for never."
        )
    now = clock.now()
    key_id, secret = ids.unique(), ids.secret()
    key = ApiKey(
        id=key_id,
        name=name,
        role=role,
        secret_sha256=_sha256(secret),
        created_at=to_iso(now),
        created_by=created_by,
        expires_at=to_iso(now + expires_in_days * _DAY_S) if expires_in_days is not None else None,
    )
    keys.put_key(key)
    return key, f"{PREFIX}{key_id}_{secret}"


def authenticate(keys: Keys, clock: Clock, text: str) -> ApiKey:
    """The key that `text` is. An unknown id costs the same comparison as a known one.

    Raises: KeyExpired to who holds the secret of an expired key. Unauthenticated for everything else that is wrong;
    whether the id exists, the secret is wrong or the key was revoked is not told.
    """
    shape = _TEXT.fullmatch(text)
    if not shape:
        raise _not_valid()
    key = keys.get_key(shape["id"])
    is_proven = hmac.compare_digest(_sha256(shape["secret"]), key.secret_sha256 if key else _NOBODY)
    if key is None or not is_proven or key.revoked_at is not None:
        raise _not_valid()
    if key.expires_at is not None and key.expires_at <= to_iso(clock.now()):
        raise KeyExpired(key.name, key.expires_at)
    return key


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _not_valid() -> Unauthenticated:
    return Unauthenticated(
        "The API key is not valid",
        "Check DAGY_API_KEY or the profile's key; an admin makes new ones with: dagy keys create",
    )
