"""The OpenAPI document: valid, whole, and what the stage serves."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from dagy.client import models as m
from dagy_runtime.api.openapi import document
from dagy_runtime.api.routes import BASE, ROUTES

# Every model that the page on namespaces, versions and tags names, with the fields it names.
NAMED = {
    "FlowRegisterRequest": {"namespace", "tags", "flow_spec", "deployment_name"},
    "FlowRegisterResponse": {"flow_version", "tags"},
    "FlowListItem": {"namespace", "tags"},
    "FlowDetailResponse": {"namespace", "tags"},
    "FlowSpecModel": {"version"},
    "DeploymentRequest": {"name", "flow_name", "flow_version", "tags"},
    "DagDraftCreateRequest": {"name", "canvas_json", "tags"},
    "DagDraftUpdateRequest": {"tags"},
    "DagDraftResponse": {"tags"},
    "RunResponse": {"flow_version"},
}


@pytest.fixture(scope="module")
def described(new_stage: Any) -> Any:
    return new_stage().anonymous().get("/v1/openapi.json").json()


def test_the_document_is_valid(described: Any) -> None:
    assert described["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []


def test_every_route_is_in_it_once_with_a_name_of_its_own(described: Any) -> None:
    found = {(method.upper(), path) for path, group in described["paths"].items() for method in group}
    assert found == {(route.method, f"{BASE}{route.path}") for route in ROUTES}
    names = Counter(operation["operationId"] for group in described["paths"].values() for operation in group.values())
    assert {name for name, count in names.items() if count > 1} == set()


def test_only_what_is_open_to_everyone_needs_no_key(described: Any) -> None:
    free = {path for path, group in described["paths"].items() for one in group.values() if one.get("security") == []}
    assert free == {f"{BASE}{route.path}" for route in ROUTES if route.role is None}


@pytest.mark.parametrize("name, fields", NAMED.items())
def test_the_models_have_the_names_and_fields_of_the_reference(described: Any, name: str, fields: set[str]) -> None:
    assert fields <= set(described["components"]["schemas"][name]["properties"])


def test_what_is_said_of_a_flow_is_the_same_in_every_answer() -> None:
    for kind in (m.FlowRegisterResponse, m.FlowListItem, m.FlowDetailResponse):
        assert issubclass(kind, m.FlowModel)
    assert "code_hash" in m.FlowModel.__struct_fields__


def test_every_model_is_used(described: Any) -> None:
    used = set(described["components"]["schemas"])
    abstract = {m.Request, m.Response, m.FlowModel, msgspec.Struct}
    models = {name for name, kind in vars(m).items() if inspect.isclass(kind) and issubclass(kind, msgspec.Struct)}
    assert models - used - {kind.__name__ for kind in abstract} == set()


def test_unknown_fields_are_told_to_be_refused_in_requests_and_only_there(described: Any) -> None:
    for name, schema in described["components"]["schemas"].items():
        is_request = issubclass(getattr(m, name), m.Request)
        assert (schema.get("additionalProperties") is False) == is_request, name


def test_the_document_is_the_same_every_time(described: Any) -> None:
    assert json.loads(msgspec.json.encode(document(ROUTES))) == described
