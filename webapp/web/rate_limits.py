"""How often someone may ask: `security.max_requests_per_minute`, over all views together.

Counted by signing key, else by user, else by address; what a client merely says of itself makes no difference. Views
may have further limits of their own. Redis counts for all processes (`services.rate_counts`); without it each of them
counts by itself.
"""

from __future__ import annotations

from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Flask, Response, request
from flask_limiter import ApplicationLimit, RequestLimit
from flask_limiter._limits import RuntimeLimit
from flask_login import current_user
from limits import parse

from webapp.config import Settings
from webapp.extensions import limiter
from webapp.services.rate_counts import counted_address
from webapp.web.admissions import find_admission
from webapp.web.current import services
from webapp.web.live import is_live
from webapp.web.signed_requests import find_actor, is_for_programs

REDIS_TIMEOUT_SECONDS = 1
# Four open pages that are told something every second, twice over.
LIVE_REQUESTS = "480 per minute"
OVERALL = "requests"


def init_rate_limits(app: Flask) -> None:
    """Tie the limiter to an app, once whoever authenticates requests ahead of it is in place."""
    security = app.extensions["duxos"].settings.security
    address = security.rate_limit_storage_url
    is_redis = address.startswith("redis")
    timeouts = {"socket_connect_timeout": REDIS_TIMEOUT_SECONDS, "socket_timeout": REDIS_TIMEOUT_SECONDS}
    app.config.update(
        RATELIMIT_ENABLED=security.enable_rate_limiting,
        RATELIMIT_STORAGE_URI=counted_address(address),
        RATELIMIT_STORAGE_OPTIONS=timeouts if is_redis else {},
        RATELIMIT_STRATEGY="sliding-window-counter",
        RATELIMIT_HEADERS_ENABLED=True,
        # A lost Redis must neither stop the service nor open it.
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
    )
    overall = ApplicationLimit(_requests_per_minute, principal, exempt_when=is_live, scope=OVERALL)
    live = ApplicationLimit(LIVE_REQUESTS, principal, exempt_when=lambda: not is_live(), scope="live")
    limiter.find_only_limit = _limit_of_programs
    limiter.find_place = _place_of_admitted
    limiter.limit_manager.set_application_limits([limit.bind(limiter) for limit in (overall, live)])
    # Functions after a request run in reverse: this one sees what the limiter has added.
    app.after_request(_tell_to_wait_only_when_refused)
    limiter.init_app(app)


def principal() -> str:
    """Whom the present request counts against: `key:<id>`, `user:<id>` or `address:<address>`."""
    actor = find_actor()
    if actor is not None:
        return actor.principal
    if not is_for_programs() and current_user.is_authenticated:
        return f"user:{current_user.id}"
    return visitor()


def visitor() -> str:
    """`address:<address>`: who asks, as far as one can tell of somebody who is not known."""
    return f"address:{_network(request.remote_addr or '')}"


def _network(address: str) -> str:
    """The address, or the /64 of an IPv6 address: that much one visitor has to himself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address


def _requests_per_minute() -> str:
    return _per_minute(services().settings.security.max_requests_per_minute)


def _per_minute(number: int) -> str:
    return f"{number} per minute"


def limit_of_programs(settings: Settings) -> RuntimeLimit:
    """The overall limit, as it counts for requests of programs ahead of their views."""
    return _overall(settings.security.max_requests_per_minute)


@cache
def _overall(per_minute: int) -> RuntimeLimit:
    return RuntimeLimit(parse(_per_minute(per_minute)), principal, OVERALL, shared=True)


def _limit_of_programs() -> RuntimeLimit | None:
    return limit_of_programs(services().settings) if is_for_programs() and not is_live() else None


def _place_of_admitted() -> RequestLimit | None:
    admission = find_admission(request.environ)
    return admission.place if admission else None


def _tell_to_wait_only_when_refused(response: Response) -> Response:
    if response.status_code not in {429, 503}:
        response.headers.pop("Retry-After", None)
    return response
