"""boto3 clients: one session per process, one client per service, each made when it is first needed.

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
MAX_ATTEMPTS: Final = 4
MAX_CONNECTIONS: Final = 32

_making = threading.Lock()


class Clients:
    """Thread-safe. boto3 itself reads credentials and `AWS_ENDPOINT_URL` from the process's environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        self._has_own_endpoint = "AWS_ENDPOINT_URL" in environ or "AWS_ENDPOINT_URL_S3" in environ
        self._made: dict[str, Any] = {}

    def get(self, service: str) -> Any:
        """The low-level client of a service, named as boto3 names it."""
        if service not in self._made:
            with _making:  # a session is not thread-safe, its clients are
                if service not in self._made:
                    self._made[service] = self._make(service)
        return self._made[service]

    def _make(self, service: str) -> Any:
        from botocore.config import Config  # a lazy door

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            max_pool_connections=MAX_CONNECTIONS,
            signature_version="s3v4" if service == "s3" else None,
            # An emulator's host has no names below it for virtual-hosted buckets.
            s3={"addressing_style": "path" if self._has_own_endpoint else "virtual"},
        )
        return _session().client(service, region_name=self._region, config=config)


@functools.cache
def _session() -> Any:
    import boto3  # a lazy door

    return boto3.session.Session()
