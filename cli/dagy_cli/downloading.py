"""Fetching what the API gives a URL for, without the token: such URLs carry their own right, and lead elsewhere."""

from __future__ import annotations

import base64
from urllib.parse import unquote_to_bytes

from dagy.client.transport import USER_AGENT
from dagy.core.errors import APIError, Unavailable


def download(url: str) -> bytes:
    """The bytes behind an `http(s):` or `data:` URL.

    Raises: APIError when it is refused, for example because the URL is too old; Unavailable when nobody answers.
    """
    if url.startswith("data:"):
        head, _, body = url[5:].partition(",")
        return base64.b64decode(body) if head.endswith(";base64") else unquote_to_bytes(body)

    import urllib3  # a lazy door: 60 ms that few commands need

    try:
        response = urllib3.request("GET", url, headers={"User-Agent": USER_AGENT}, timeout=60.0, retries=2)
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"Cannot download the result: {type(error).__name__}", "Try again.") from error
    if response.status != 200:
        raise APIError(response.status, "The download was refused", hint="Its URL is good for 15 minutes. Try again.")
    return response.data
