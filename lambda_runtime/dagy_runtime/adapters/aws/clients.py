"""boto3 clients: one session per process, one client per service and region, each made when it is first needed.

Loading boto3 and one client costs a few hundred milliseconds of a cold start, so nothing here happens at import.
Retries are botocore's `standard` ones (`adaptive` would queue requests inside a Lambda that is billed while it
waits). The timeouts are short because every call here is idempotent or compares tokens.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import Any, Final

CONNECT_TIMEOUT_S: Final = 2
READ_TIMEOUT_S: Final = 10
READ_TIMEOUTS_S: Final = {"dynamodb": 5}
"""A lease of 30 seconds must outlast the four attempts of a renewal that hangs."""
MAX_ATTEMPTS: Final = 4
MAX_CONNECTIONS: Final = 32

_making = threading.Lock()  # a session is not thread-safe, its clients are


class Clients:
    """Thread-safe. boto3 itself reads credentials and `AWS_ENDPOINT_URL` from the process's environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        self._endpoint = environ.get("AWS_ENDPOINT_URL")

    def get(self, service: str) -> Any:
        """The low-level client of a service, named as boto3 names it."""
        with _making:
            return _client(service, self._region, self._endpoint)


@functools.cache
def _client(service: str, region: str | None, endpoint: str | None) -> Any:
    from botocore.config import Config  # a lazy door

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUTS_S.get(service, READ_TIMEOUT_S),
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        max_pool_connections=MAX_CONNECTIONS,
        signature_version="s3v4" if service == "s3" else None,
        # An emulator's host has no names below it for virtual-hosted buckets.
        s3={"addressing_style": "path" if endpoint else "virtual"},
    )
    return _session().client(service, region_name=region, config=config)


@functools.cache
def _session() -> Any:
    import boto3  # a lazy door

    return boto3.session.Session()
