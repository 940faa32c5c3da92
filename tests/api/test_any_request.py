"""Whatever is sent to whichever operation, the answer is one that the OpenAPI document tells of, and never a 5xx.

Schemathesis makes the requests: half of them fit the document, half do not. A few for every operation here;
`DAGY_ANY_REQUESTS=20000` sends that many in all.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from dagy_runtime.api.routes import BASE, ROUTES, Route

EACH = max(4, -(-int(os.environ.get("DAGY_ANY_REQUESTS", "0")) // len(ROUTES)))
KNOWN = {"name": "daily", "version": "1.0", "task_run_id": "load-1"}
"""What every other request names, so that not everything ends at "not found"."""

schemathesis.checks.load_all_checks()
# A schema cannot say all that a body must be: 422 tells the rest.
CHECKS = [check for check in schemathesis.checks.CHECKS.get_all() if check.__name__ != "positive_data_acceptance"]
# A wrong path was made right.
CHECKS_OF_MENDED = [check for check in CHECKS if check.__name__ != "negative_data_rejection"]


@pytest.fixture(scope="module")
def stage(new_stage: Any, spec: Any) -> Any:
    stage = new_stage()
    assert stage.register(spec()).status == 200
    client = stage.client("developer")
    body = {"name": "daily", "flow_name": "etl", "flow_version": "1.0", "parameters": {"day": "monday"}}
    assert client.post("/v1/deployments", body).status == 200
    KNOWN["run_id"] = client.post("/v1/runs", {"deployment": "daily"}).json()["run_id"]
    KNOWN["draft_id"] = client.post("/v1/drafts", {"name": "one", "canvas_json": "{}"}).json()["draft_id"]
    return stage


@pytest.fixture(scope="module")
def described(stage: Any) -> Any:
    return schemathesis.openapi.from_asgi("/v1/openapi.json", stage.app)


@pytest.mark.parametrize("route", [pytest.param(route, id=f"{route.method} {route.path}") for route in ROUTES])
def test_the_answer_is_a_documented_one(stage: Any, described: Any, route: Route) -> None:
    operation = described[f"{BASE}{route.path}"][route.method]
    key = stage.key("admin")

    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        derandomize=EACH == 4,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    )
    def sent(case: Any) -> None:
        given_path = case.path_parameters or {}
        is_mended = len(str(given_path)) % 2 == 0 and bool(KNOWN.keys() & given_path)
        for name in (KNOWN.keys() & given_path) if is_mended else ():
            case.path_parameters[name] = KNOWN[name]
        checks = CHECKS_OF_MENDED if is_mended else CHECKS
        case.call_and_validate(headers={"Authorization": f"Bearer {key}"}, checks=checks)

    sent()
