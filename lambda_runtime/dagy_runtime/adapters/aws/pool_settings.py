"""What the API function is told of the stage's user pool by its environment. No other function is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dagy.core.errors import InvalidInput

_NEEDED: Final = ("DAGY_ISSUER", "DAGY_CLIENT_ID", "DAGY_JWKS_URL", "DAGY_SIGN_IN_URL", "DAGY_APP_URL")


class Pool(Struct, frozen=True):
    """`sign_in_url` is the pool's own pages, `app_url` where its sign-ins come back to."""

    id: str
    issuer: str
    client_id: str
    jwks_url: str
    sign_in_url: str
    app_url: str

    @property
    def token_url(self) -> str:
        return f"{self.sign_in_url}/oauth2/token"


def read_pool(environ: Mapping[str, str]) -> Pool | None:
    """None where there is no pool. Raises: InvalidInput naming every variable that is missing."""
    pool_id = environ.get("DAGY_USER_POOL")
    if not pool_id:
        return None
    missing = [name for name in _NEEDED if not environ.get(name)]
    if missing:
        raise InvalidInput(f"Missing in the environment: {', '.join(missing)}", "The stage's stacks set them.")
    return Pool(pool_id, *(environ[name].rstrip("/") for name in _NEEDED))
