"""What a caller reads when something goes wrong: a page, a message for HTMX, or an RFC 9457 problem document.

`type` of a problem is `urn:duxos:problem:<slug>`; the slug is stable, `detail` is for people. Causes of our own
failures (500) go to the log and never to the caller.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from flask import Flask, Response, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from webapp.domain.exceptions import DuxosError, EscrowStateError
from webapp.domain.said import said
from webapp.extensions import db
from webapp.web.guards import login_url
from webapp.web.htmx import is_htmx
from webapp.web.language import browser_language, speaking, tell_language, translated
from webapp.web.negotiation import wants_problem
from webapp.web.sessions import leave_visitor_unknown

PROBLEM_TYPE_PREFIX = "urn:duxos:problem:"
PROBLEM_MIMETYPE = "application/problem+json"

# (slug, title, sentence) for what the web framework raises.
HTTP_PROBLEMS = {
    400: (
        "bad-request",
        said("The request could not be read"),
        said("Something in it is missing or malformed."),
    ),
    401: (
        "authentication-required",
        said("Authentication is required"),
        said("Log in, or sign the request."),
    ),
    403: ("permission-denied", said("You may not do this"), said("This is not open to you.")),
    404: ("not-found", said("Not found"), said("There is nothing at this address.")),
    405: (
        "method-not-allowed",
        said("This method is not allowed here"),
        said("The address exists, but not for this method."),
    ),
    413: ("too-large", said("The request is too large"), said("Send less at once.")),
    415: (
        "unsupported-media-type",
        said("This media type is not supported"),
        said("Send application/json."),
    ),
    429: ("rate-limited", said("Too many requests"), said("Wait for a moment, then try again.")),
    500: ("internal-error", said("Something went wrong"), said("The failure is ours and has been logged.")),
}
BUSY_PROBLEM = (
    "database-busy",
    said("The service is busy"),
    said("The database did not answer in time. Nothing was changed: try again in a moment."),
)
LOST_PROBLEM = (
    "database-lost",
    said("The database went away"),
    said(
        "The connection to it was lost before it answered. Look whether this was done before you repeat it; "
        "a program repeats it with the same Idempotency-Key."
    ),
)
BUSY_RETRY_SECONDS = 2
CSRF_PROBLEM = (
    "csrf",
    said("The form has expired"),
    said("Go back, load the page again, and repeat what you did."),
)
ERROR_PAGES = frozenset({403, 404, 429, 500})

_log = logging.getLogger(__name__)


def problem(
    status: int,
    slug: str,
    title: str,
    detail: str,
    fields: Mapping[str, str] | None = None,
    more: Mapping[str, str] | None = None,
) -> Response:
    """A problem document about the present request, as its answer."""
    body = _document(status, slug, title, detail, request.path, fields, more)
    return Response(json.dumps(body), status=status, mimetype=PROBLEM_MIMETYPE)


def problem_document(error: DuxosError, instance: str) -> dict[str, object]:
    """What a program is told of an error below 500; `instance` is the address of what it is about."""
    return _document(
        error.status, error.slug, error.title, error.detail, instance, error.fields, _more(error)
    )


def _document(
    status: int,
    slug: str,
    title: str,
    detail: str,
    instance: str,
    fields: Mapping[str, str] | None,
    more: Mapping[str, str] | None,
) -> dict[str, object]:
    """`fields` maps input fields to messages and becomes the `errors` list; `more` are members."""
    body: dict[str, object] = {
        "type": PROBLEM_TYPE_PREFIX + slug,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        **(more or {}),
    }
    if fields:
        body["errors"] = [{"field": field, "message": message} for field, message in fields.items()]
    return body


def _more(error: DuxosError) -> dict[str, str] | None:
    return {"current_status": error.current_status} if isinstance(error, EscrowStateError) else None


def answer(
    status: int,
    slug: str,
    title: str,
    detail: str,
    fields: Mapping[str, str] | None = None,
    more: Mapping[str, str] | None = None,
) -> Response:
    """The error in the form that the present request wants."""
    if wants_problem():
        return problem(status, slug, title, detail, fields, more)
    if status < 500:
        return _shown(status, title, detail)
    # The database may be what failed: neither who asks is looked up, nor their own setting.
    leave_visitor_unknown()
    with speaking(browser_language()):
        return tell_language(_shown(status, title, detail))


def _shown(status: int, title: str, detail: str) -> Response:
    if is_htmx():
        return _htmx_message(status, title, detail)
    name = "500" if status >= 500 else str(status) if status in ERROR_PAGES else "problem"
    return make_response(
        render_template(f"pages/errors/{name}.html", status=status, title=title, detail=detail), status
    )


def _htmx_message(status: int, title: str, detail: str) -> Response:
    link = login_url() if status == 401 else None
    body = render_template(
        "partials/problem.html", title=f"{translated(title)}.", detail=detail, login_url=link
    )
    # 409 and 422 usually bring the partial that was asked for: this one belongs into the live region instead.
    headers = {"HX-Retarget": "#messages", "HX-Reswap": "innerHTML"}
    return make_response(body, status, headers)


def _on_duxos_error(error: DuxosError) -> Response:
    if error.status == 500:
        _log.error("%s: %s", type(error).__name__, error.detail, exc_info=error)
        return answer(500, *HTTP_PROBLEMS[500])
    response = answer(error.status, error.slug, error.title, error.detail, error.fields, _more(error))
    if error.status == 401 and response.mimetype == PROBLEM_MIMETYPE:
        response.headers["WWW-Authenticate"] = 'Signature realm="duxos"'
    return response


def _on_database_error(error: OperationalError | PoolTimeoutError) -> Response:
    """A lock that was not had in time, a deadlock that this one lost, a server that is away: nothing was changed.

    What became of a change whose connection was lost nobody knows.
    """
    _log.error("the database refused: %s", getattr(error, "orig", error), exc_info=error)
    db.session.rollback()
    is_lost = isinstance(error, OperationalError) and error.connection_invalidated
    is_change = request.method not in {"GET", "HEAD"}
    response = answer(503, *(LOST_PROBLEM if is_lost and is_change else BUSY_PROBLEM))
    response.headers["Retry-After"] = str(BUSY_RETRY_SECONDS)
    return response


def _on_http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    title: str
    detail: str
    if error.response is not None or status < 400:
        return make_response(error.get_response())
    if isinstance(error, CSRFError):
        slug, title, detail = CSRF_PROBLEM
    elif status in HTTP_PROBLEMS:
        slug, title, detail = HTTP_PROBLEMS[status]
    else:
        slug, title, detail = "http-error", error.name, error.description or ""
    response = answer(status, slug, title, detail)
    # Allow, Retry-After and their like belong to the error; its content type does not.
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def init_errors(app: Flask) -> None:
    """Register the handlers. Unexpected exceptions reach Flask's own log before their page is made."""
    app.register_error_handler(DuxosError, _on_duxos_error)
    app.register_error_handler(OperationalError, _on_database_error)
    app.register_error_handler(PoolTimeoutError, _on_database_error)
    app.register_error_handler(HTTPException, _on_http_exception)
