"""The OpenAPI document: complete, sound, and what the endpoints really take and give."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask_openapi3.models import APISpec

from tests.api.conftest import World
from tests.api.endpoints import ENDPOINTS
from tests.support.arrivals import credit_payment, see_payment, stock_addresses
from tests.support.signing import sign
from webapp.domain.evidence.names import MEDIA_TYPES
from webapp.web.errors import PROBLEM_MIMETYPE

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """The document as a client reads it."""
    response = app.test_client().get("/openapi/openapi.json")
    assert response.mimetype == "application/json"
    read: dict[str, Any] = json.loads(response.data)
    return read


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method.upper(), operation


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference
        for member in part.values():
            yield from _references(member)
    elif isinstance(part, list):
        for member in part:
            yield from _references(member)


def test_the_document_is_openapi_3_1_and_sound(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "DuxOS Escrow"
    assert APISpec.model_validate(document)
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(_references(document)) <= known
    ids = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(ids)) == len(ids)
    assert document["components"]["securitySchemes"]["signature"]["type"] == "http"


def test_the_document_describes_exactly_the_endpoints_with_their_scopes(
    document: dict[str, Any], app: Flask
) -> None:
    rules = {rule.endpoint: re.sub("<([a-z_]+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    described = {(path, method): operation["security"] for path, method, operation in _operations(document)}
    expected = {(rules[each.name], each.method): [{"signature": each.scopes}] for each in ENDPOINTS}
    assert described == expected


# What is answered with a file, and of which type.
FILES = {"/escrow/{id}/evidence/{number}": list(MEDIA_TYPES), "/escrow/{id}/case-file": ["application/zip"]}
# What is posted because it is a document, and changes nothing.
QUESTIONS = {"/escrow/simulate"}


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    for path, method, operation in _operations(document):
        assert operation["summary"].endswith("."), path
        assert "<br" not in operation.get("description", "")
        parameters = (
            {parameter["name"] for parameter in operation["parameters"]}
            if "parameters" in operation
            else set()
        )
        assert set(re.findall(r"{(\w+)}", path)) <= parameters
        assert ("Idempotency-Key" in parameters) == (method == "POST" and path not in QUESTIONS)
        for status, response in operation["responses"].items():
            assert response["description"]
            is_problem = int(status) >= 400
            expected = [PROBLEM_MIMETYPE] if is_problem else FILES.get(path, ["application/json"])
            assert list(response["content"]) == expected
        assert {"401", "403", "422", "429"} <= set(operation["responses"])
    responses = document["paths"]["/escrow/create"]["post"]["responses"]
    assert "Location" in responses["201"]["headers"]
    assert document["paths"]["/escrow/{id}/release"]["post"]["requestBody"]["required"] is False


def _check(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> None:
    """As much of JSON Schema as the document uses."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        kinds = [each for each in schema["anyOf"] if (each.get("type") == "null") == (value is None)]
        assert len(kinds) == 1, where
        return _check(value, kinds[0], document, where)
    types = {
        "string": str,
        "integer": int,
        "object": dict,
        "array": list,
        "null": type(None),
        "boolean": bool,
    }
    assert isinstance(value, types[schema["type"]]), where
    if "enum" in schema:
        assert value in schema["enum"], where
    if "pattern" in schema:
        assert re.search(schema["pattern"], value), where
    if schema.get("format") == "date-time":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", value), where
    for number, item in enumerate(value if isinstance(value, list) else ()):
        _check(item, schema["items"], document, f"{where}[{number}]")
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"]), where
        for name, member in value.items():
            _check(member, schema["properties"][name], document, f"{where}.{name}")
    return None


def test_answers_are_what_the_document_says(document: dict[str, Any], world: World, app: Flask) -> None:
    rules = {rule.endpoint: re.sub("<([a-z_]+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    for endpoint in ENDPOINTS:
        request = endpoint.request(world)
        body = b"" if request.body is None else json.dumps(request.body).encode()
        responses = document["paths"][rules[endpoint.name]][endpoint.method.lower()]["responses"]
        message = sign(request.program.key, endpoint.method, request.path, body)
        for response in (request.program.send(message), request.program.send(message)):
            described = responses[str(response.status_code)]["content"]
            assert response.mimetype in described
            if response.status_code == 200 and rules[endpoint.name] in FILES:
                continue
            schema = described[response.mimetype]["schema"]
            _check(json.loads(response.data), schema, document, f"{endpoint.name} {response.status_code}")


def test_an_escrow_with_payments_is_what_the_document_says(document: dict[str, Any], world: World) -> None:
    stock_addresses(world.session)
    created = world.payer.post("/escrow/create", world.terms(funding="deposit")).json
    escrow = world.services.escrow_manager(world.session, world.pair.payer.actor).get_escrow(created["id"])
    credit_payment(world.session, world.services.settings, see_payment(world.session, escrow, "40"))
    see_payment(world.session, escrow, "1")
    schema = document["paths"]["/escrow/{id}"]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]
    for program in (world.payer, world.provider):
        _check(program.get(created["links"]["self"]).json, schema, document, "pending")


def test_problems_with_fields_are_what_the_document_says(document: dict[str, Any], world: World) -> None:
    responses = document["paths"]["/escrow/create"]["post"]["responses"]
    for body in ({"colour": "red"}, world.terms(amount="0"), world.terms(amount="5000")):
        response = world.payer.post("/escrow/create", body)
        schema = responses[str(response.status_code)]["content"][PROBLEM_MIMETYPE]["schema"]
        _check(json.loads(response.data), schema, document, "problem")
