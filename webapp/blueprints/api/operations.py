"""What the endpoints have in common: their entry in the OpenAPI document, and how they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, request
from pydantic import BaseModel

from webapp.blueprints.api.schemas import IdempotencyHeader
from webapp.domain import exact_json
from webapp.domain.exceptions import ValidationError
from webapp.domain.roles import Scope
from webapp.services import idempotency
from webapp.services.idempotency import StoredAnswer
from webapp.web.current import db_session
from webapp.web.due_terms import settling_what_is_due
from webapp.web.errors import PROBLEM_MIMETYPE
from webapp.web.signed_requests import current_actor

SECURITY_SCHEME = "signature"
_JSON = "application/json"
_READING = (400, 401, 403, 404, 422, 429)
_CHANGING = (400, 401, 403, 404, 409, 413, 415, 422, 429)
_DESCRIPTIONS = {
    400: "The request could not be read",
    401: "The signature is missing, wrong, too old or was used before",
    403: "The key may not do this",
    404: "There is no such thing, or it is not the key's to see",
    409: "The present state does not allow this, or the balance is too small; nothing moved",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "Something in the request is not valid; `errors` names the fields",
    429: "Too many requests; `Retry-After` says in how many seconds to come back",
    503: "Something that is needed cannot be had at the moment; nothing was made",
}
_LOCATION = {"Location": {"description": "The address of what was made", "schema": {"type": "string"}}}


def operation(
    scope: Scope | None,
    answer: type[BaseModel],
    *,
    creates: bool = False,
    changes: bool = False,
    more_problems: tuple[int, ...] = (),
    description: str | None = None,
) -> dict[str, Any]:
    """The options of a route: its scope and answers in the OpenAPI document. Creating is changing.

    Without a scope the request has to be signed all the same.
    """
    status = 201 if creates else 200
    problems = (*(_CHANGING if changes or creates else _READING), *more_problems)
    responses: dict[str, Any] = {str(status): answer} | {str(code): _problem(code) for code in problems}
    return {
        "security": [{SECURITY_SCHEME: [scope.value] if scope else []}],
        "responses": responses,
        "description": description,
    }


def file_operation(
    scope: Scope, media_types: Iterable[str], what: str, *, more_problems: tuple[int, ...] = ()
) -> dict[str, Any]:
    """The options of a route that answers a file, of one of these types, and no JSON."""
    schema = {"type": "string", "format": "binary"}
    content = {media_type: {"schema": schema} for media_type in media_types}
    answers: dict[str, Any] = {"200": {"description": what, "content": content}}
    return {
        "security": [{SECURITY_SCHEME: [scope.value]}],
        "responses": answers | {str(code): _problem(code) for code in (*_READING, *more_problems)},
    }


def operation_id(*, bp_name: str, name: str, path: str, method: str) -> str:
    """`escrows_create`: the noun's file and its view."""
    return f"{bp_name.removeprefix('api_')}_{name}"


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": _DESCRIPTIONS[status], "content": {PROBLEM_MIMETYPE: {"schema": schema}}}


def created_at_location(model: type[BaseModel]) -> type[BaseModel]:
    """The model, whose answers say in the OpenAPI document that they come with a Location."""
    model.model_config["openapi_extra"] = {"headers": _LOCATION}  # type: ignore[typeddict-unknown-key]
    return model


def answer(document: BaseModel) -> Response:
    """200 with a document."""
    return Response(document.model_dump_json(), mimetype=_JSON)


def made(document: BaseModel, location: str) -> StoredAnswer:
    """201 with a document and its address, to be stored with its effect."""
    return StoredAnswer(201, document.model_dump_json(), location)


def changed(document: BaseModel) -> StoredAnswer:
    """200 with a document, to be stored with its effect."""
    return StoredAnswer(200, document.model_dump_json())


def answer_once(header: IdempotencyHeader, effect: Callable[[], StoredAnswer]) -> Response:
    """Run a change, once for each Idempotency-Key, and answer it."""
    same = idempotency.request_hash(request.method, request.full_path, request.get_json(silent=True))
    key = header.idempotency_key
    with settling_what_is_due():
        stored = idempotency.run(db_session(), current_actor().principal, key, same, effect)
    response = Response(stored.body, status=stored.status, mimetype=_JSON)
    if stored.location is not None:
        response.headers["Location"] = stored.location
    if stored.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def storable(field: str, value: Any) -> Any:
    """A JSON value with its numbers as the database keeps them. Raises ValidationError naming `field`.

    Numbers with a point are kept in 64 bits. One that would come back as another is refused, not rounded.
    """
    try:
        return exact_json.storable(value)
    except ValueError as error:
        raise ValidationError.of(field, str(error)) from None
