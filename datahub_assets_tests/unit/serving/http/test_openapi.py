"""The OpenAPI document: true, with examples, and requests made from it never find a fault of the server's."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from datahub_assets_tests.unit.serving.http.conftest import HttpDoor
from datahub_assets_tests.unit.serving.served import PASSWORD

DOCUMENT = "/api/v1/openapi.json"
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


def _fuzz(door: HttpDoor, examples: int) -> int:
    """Requests of each operation from its description; returns how many were sent."""
    schema = schemathesis.openapi.from_url(f"{door.http.url}{DOCUMENT}")
    sent = 0
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=examples < 100,
            suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
        )  # fmt: skip
        @given(case=operation.as_strategy(), user=st.sampled_from(["ann", "bob"]), real=st.booleans())
        def asked(case: Any, user: str, real: bool) -> None:
            nonlocal sent
            if real and "domain" in case.path_parameters:
                case.path_parameters |= {"domain": "px", "name": "prices"}
            response = case.call(base_url=door.http.url, auth=(user, PASSWORD))
            case.validate_response(response, checks=list(CHECKS))
            sent += 1

        asked()
    return sent


def test_requests_made_from_the_document_find_no_fault(http_door: HttpDoor) -> None:
    """No 5xx, no status or content type that the document lacks, no document of another shape."""
    assert _fuzz(http_door, 12) > 80


@pytest.mark.soak
def test_many_requests_made_from_the_document_find_no_fault(http_door: HttpDoor) -> None:
    """The same at length."""
    assert _fuzz(http_door, 1_500) > 5_000


def test_every_operation_is_described_and_has_problems(http_door: HttpDoor) -> None:
    """What it does, what its parameters mean, and what an error looks like."""
    document = http_door.http.get(DOCUMENT, None).json()
    assert document["security"] == [{"token": []}, {"password": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert path == "/health" or {"401", "404", "429"} <= operation["responses"].keys(), path
            silent = [one["name"] for one in operation.get("parameters", ()) if not one.get("description")]
            assert silent == [], path


def test_examples_of_the_document_are_answers_of_that_shape(http_door: HttpDoor) -> None:
    """An example that could not be an answer misleads."""
    import jsonschema_rs

    document = http_door.http.get(DOCUMENT, None).json()
    checked = 0
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    if "example" in content:
                        jsonschema_rs.validate(_with_components(content["schema"], document), content["example"])
                        checked += 1
    assert checked > 20


def _with_components(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": document["components"]}
