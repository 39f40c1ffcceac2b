"""What kind of answer the caller wants when something goes wrong: a page, or a problem document."""

from __future__ import annotations

from flask import request

API_BLUEPRINT_PREFIX = "api"
API_PATHS = ("/escrow", "/wallet", "/payout", "/community-fund", "/openapi", "/health")
JSON_TYPES = ("application/problem+json", "application/json")


def wants_problem() -> bool:
    """Whether the present request is a program's.

    True for views of blueprints whose name begins with `api`, for any request that prefers JSON to HTML, and for one
    of a stream of events, which can do nothing with a page. Under the paths of the API an address that leads nowhere
    also answers with a problem, unless HTML was asked for.
    """
    if request.blueprint and request.blueprint.startswith(API_BLUEPRINT_PREFIX):
        return True
    if "HX-Request" in request.headers:
        return False
    accepted = request.accept_mimetypes
    if "text/event-stream" in accepted.values():
        return True
    best = accepted.best_match(["text/html", *JSON_TYPES])
    if best in JSON_TYPES:
        return accepted[best] > accepted["text/html"]
    return request.endpoint is None and "text/html" not in accepted.values() and _is_api_path(request.path)


def _is_api_path(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in API_PATHS)
