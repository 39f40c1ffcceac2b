"""The security and caching headers of every answer.

Pages load nothing from elsewhere and hold no inline script or style. The OpenAPI page is a bundled program with
inline parts, so it alone gets a looser policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from flask import Flask, Response, request

_COMMON = {
    "default-src": "'none'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def _policy(**more: str) -> str:
    directives = _COMMON | {name.replace("_", "-"): value for name, value in more.items()}
    return "; ".join(f"{name} {value}" for name, value in directives.items())


PAGE_POLICY = _policy(script_src="'self'", style_src="'self'", font_src="'self'")
OPENAPI_POLICY = _policy(
    script_src="'self' 'unsafe-inline'", style_src="'self' 'unsafe-inline'", font_src="'self' data:"
)
OPENAPI_PREFIX = "/openapi"

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: over https the CSRF check needs the Referer of our own pages.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
TRANSPORT_SECURITY = "max-age=31536000; includeSubDomains"


def is_openapi_path(path: str) -> bool:
    """Whether the path belongs to the OpenAPI document and its page."""
    return path == OPENAPI_PREFIX or path.startswith(f"{OPENAPI_PREFIX}/")


@cache
def usual_headers(policy: str, is_secure: bool) -> Mapping[str, str]:
    """What an answer says that does not say otherwise itself."""
    # It may show money or a name: no cache keeps it.
    headers = FIXED | {"Cache-Control": "no-store", "Content-Security-Policy": policy}
    return headers | ({"Strict-Transport-Security": TRANSPORT_SECURITY} if is_secure else {})


def _add_headers(response: Response) -> Response:
    said = {name.lower() for name, _ in response.headers}
    policy = OPENAPI_POLICY if is_openapi_path(request.path) else PAGE_POLICY
    for name, value in usual_headers(policy, request.is_secure).items():
        if name.lower() not in said:
            response.headers.add(name, value)
    if response.mimetype == "text/html":
        response.vary.add("HX-Request")
    return response


def init_headers(app: Flask) -> None:
    """Add the headers to every answer, errors included."""
    app.after_request(_add_headers)
