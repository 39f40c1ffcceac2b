"""The JSON endpoints: signed requests in, JSON and problem documents out. Their description is made from the code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pydantic
from flask_openapi3 import Info, OpenAPI
from flask_openapi3_swagger.templates import swagger_html_string  # type: ignore[import-untyped]

from webapp.blueprints.api import (
    batches,
    community_fund,
    disputes,
    escrow_terms,
    escrows,
    evidence,
    nodes,
    offers,
    payouts,
    plans,
    services,
    wallets,
)
from webapp.blueprints.api.operations import SECURITY_SCHEME
from webapp.blueprints.api.schemas import Problem
from webapp.blueprints.api.wrong_fields import wrong_fields
from webapp.extensions import csrf
from webapp.web.json_bodies import ExactJsonProvider, JsonRequest, require_json_object

BLUEPRINTS = (
    escrow_terms.bp,
    escrows.bp,
    batches.bp,
    offers.bp,
    plans.bp,
    disputes.bp,
    evidence.bp,
    wallets.bp,
    payouts.bp,
    community_fund.bp,
    nodes.bp,
    services.bp,
)

DESCRIPTION = """\
Escrow for compute paid with Flopcoin: lock an amount for a task, release it for a signed result, refund it otherwise.

Amounts are text with eight decimals (`"95.00000000"`), times are RFC 3339 in UTC. Errors are problem documents
(RFC 9457) with a stable `type` and, where fields are wrong, a list of them. Lists have opaque cursors.

Sign every request with HTTP Message Signatures (RFC 9421), `alg="hmac-sha256"`, keyed with the UTF-8 bytes of your
key's secret. Cover `@method`, the target (`@path` and `@query`, or `@target-uri`) and, when there is a body,
`content-digest` (RFC 9530, sha-256). State `keyid`, a `created` within five minutes of the server's clock, and a
`nonce` that you use once. The Python package `requests-http-signature` does it with `use_nonce=True`.
"""
SECURITY_SCHEMES: dict[str, Any] = {
    SECURITY_SCHEME: {
        "type": "http",
        "scheme": "Signature",
        "description": "HTTP Message Signatures (RFC 9421), hmac-sha256. The scopes are those that the key needs.",
    }
}


class _Api(OpenAPI):
    json_provider_class = ExactJsonProvider
    request_class = JsonRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is. Flask would look at each anew, twenty for a request; none here is a coroutine."""
        return func


def make_flask(name: str, **options: Any) -> OpenAPI:
    """The Flask application class that knows OpenAPI, and reads JSON numbers exactly."""
    app = _Api(
        name,
        info=Info(title="DuxOS Escrow", version="1.0.0", description=DESCRIPTION),
        security_schemes=SECURITY_SCHEMES,
        validation_error_model=Problem,
        validation_error_callback=_refuse,
        **options,
    )
    # The page asks nobody else whether the document is valid.
    app.config["SWAGGER_CONFIG"] = {"validatorUrl": None}
    app.config["SWAGGER_HTML_STRING"] = swagger_html_string.replace(
        "Swagger UI", "DuxOS Escrow: the JSON endpoints", 1
    )
    return app


def register_api(app: OpenAPI) -> None:
    """Put the endpoints in their places. They carry no cookie, so no form of another site can speak for anybody."""
    for blueprint in BLUEPRINTS:
        csrf.exempt(blueprint)
        app.register_api(blueprint)


for _blueprint in BLUEPRINTS:
    _blueprint.before_request(require_json_object)


def _refuse(error: pydantic.ValidationError) -> NoReturn:
    raise wrong_fields(error)
