"""botocore's own stubs: the exact requests of an adapter, and the answers a test wants it to get."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from botocore.stub import Stubber

from dagy_runtime.adapters.aws.clients import Clients


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return Clients({"AWS_REGION": f"us-test-{uuid.uuid4().hex[:8]}"})  # a region of its own: clients are shared


@pytest.fixture
def stub(clients: Clients) -> Iterator[Callable[[str], Stubber]]:
    """`stub(service)`: what its client is asked must be what was expected, all of it, in that order."""
    with ExitStack() as stack:
        stubs: list[Stubber] = []

        def of(service: str) -> Stubber:
            stubs.append(stack.enter_context(Stubber(clients.get(service))))
            return stubs[-1]

        yield of
        for each in stubs:
            each.assert_no_pending_responses()
