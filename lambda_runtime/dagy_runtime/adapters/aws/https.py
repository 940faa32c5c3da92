"""One small request to an address that this stage's settings name, with limits on everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from dagy.core.errors import Unavailable

CONNECT_TIMEOUT_S: Final = 2.0
READ_TIMEOUT_S: Final = 4.0
MAX_ANSWER_BYTES: Final = 64 * 1024


def ask(url: str, form: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body of a GET, or of a POST of the form. A redirect is an answer, not followed.

    Raises: Unavailable when nobody answers in time, or too much.
    """
    import urllib3  # a lazy door: there with boto3, and most requests need it not

    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S), retries=False, maxsize=1
    )
    host = url.split("/")[2]
    try:
        response = pool.request(
            "GET" if form is None else "POST",
            url,
            body=urlencode(form) if form is not None else None,
            headers={"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {},
            redirect=False,
            preload_content=False,
        )
        body = response.read(MAX_ANSWER_BYTES + 1)
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"{host} did not answer ({type(error).__name__})", "Try again.") from None
    finally:
        pool.clear()
    if len(body) > MAX_ANSWER_BYTES:
        raise Unavailable(f"{host} answered with more than {MAX_ANSWER_BYTES} bytes")
    return response.status, body
