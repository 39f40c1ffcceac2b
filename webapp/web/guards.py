"""Who may reach a view. Nothing is open by default: a view that does not say who it is for answers 403.

A view says it with one marker, written under the route decorator:

    @public                          anybody
    @signed_in                       anybody who is logged in
    @roles(Role.OPERATOR)            those logged in with one of the roles
    @signed_request("escrow:read")   programs; the guard of signed requests decides (see `set_signed_request_guard`)

Over one of the last three, `@public_while(is_open)` opens the view to anybody as long as `is_open()` says so.

A form whose session has ended is sent on, as it is, to where it is kept until its owner has logged in (`kept_forms`).

Markers speak of the kind of visitor. Whether this escrow is this visitor's is asked in the view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from flask import Flask, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.domain.exceptions import AuthenticationError, PermissionDeniedError
from webapp.domain.said import said
from webapp.web.htmx import is_htmx
from webapp.web.negotiation import wants_problem

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])
SignedRequestGuard = Callable[[tuple[str, ...]], None]

_MARKER = "__duxos_access__"
_GUARD_EXTENSION = "duxos_signed_request_guard"

# Flask's own static files, and the OpenAPI document with its page: made by libraries, so they carry no marker.
OPEN_ENDPOINTS = frozenset({"static"})
OPEN_BLUEPRINTS = frozenset({"openapi", "swagger"})


@dataclass(frozen=True, slots=True)
class Access:
    """For whom a view is: `names` are roles or scopes. It is for anybody while `is_open`, if there is one, says so."""

    kind: Literal["public", "signed_in", "signed_request"]
    names: tuple[str, ...] = ()
    keeps_nonces: bool = True
    is_open: Callable[[], bool] | None = None


def _marked(view: View, access: Access) -> View:
    setattr(view, _MARKER, access)
    return view


def public(view: View) -> View:
    """Mark a view as open to anybody."""
    return _marked(view, Access("public"))


def signed_in(view: View) -> View:
    """Mark a view as open to anybody who is logged in."""
    return _marked(view, Access("signed_in"))


def roles(*names: str) -> Callable[[View], View]:
    """Mark a view as open to those who are logged in with one of these roles."""
    return lambda view: _marked(view, Access("signed_in", tuple(str(name) for name in names)))


def signed_request(*scopes: str, keeps_nonces: bool = True) -> Callable[[View], View]:
    """Mark a view as one for programs, with the scopes that a signing key needs for it.

    Only a view to which a request that is sent again can do no harm, because it knows it for one, does without the
    row that every nonce costs.
    """
    names = tuple(str(scope) for scope in scopes)
    return lambda view: _marked(view, Access("signed_request", names, keeps_nonces))


def public_while(is_open: Callable[[], bool]) -> Callable[[View], View]:
    """Open a marked view to anybody while `is_open()` holds, asked at every request; else its own marker counts.

    Raises TypeError for a view without a marker of its own: it would be closed one day and not know to whom.
    """

    def mark(view: View) -> View:
        access = getattr(view, _MARKER, None)
        if not isinstance(access, Access):
            raise TypeError("say first whom the view is for while it is not public")
        return _marked(view, replace(access, is_open=is_open))

    return mark


def set_signed_request_guard(app: Flask, guard: SignedRequestGuard) -> None:
    """Give the function that lets a request to a `signed_request` view pass, or raises. Without one, none passes."""
    app.extensions[_GUARD_EXTENSION] = guard


def find_access(app: Flask, endpoint: str) -> Access | None:
    """The marker of an endpoint's view, or None: then the endpoint is closed."""
    access = getattr(app.view_functions.get(endpoint), _MARKER, None)
    if isinstance(access, Access):
        return access
    blueprint = endpoint.partition(".")[0] if "." in endpoint else ""
    is_open = endpoint in OPEN_ENDPOINTS or blueprint in OPEN_BLUEPRINTS
    return Access("public") if is_open else None


def safe_next(target: str | None) -> str | None:
    """The address if it is a path on this site, else None. A browser reads `//host` and `/\\host` as other sites."""
    if not target or not target.startswith("/") or target[1:2] in {"/", "\\"}:
        return None
    if any(ord(character) < 33 or ord(character) == 127 for character in target):
        return None
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else None


def login_url() -> str:
    """The log-in page, which leads back to the page that the visitor is on."""
    return url_for("auth.log_in", next=present_page())


def present_page() -> str | None:
    """The page that the visitor is on, as a path of this site; None when that is not known."""
    if request.method in {"GET", "HEAD"} and not is_htmx():
        return safe_next(request.full_path.rstrip("?"))
    came_from = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    if came_from.netloc != request.host:
        return None
    return safe_next(came_from.path + (f"?{came_from.query}" if came_from.query else ""))


def _enforce() -> ResponseReturnValue | None:
    if request.endpoint is None:
        return None  # No such address or method: the error pages answer.
    access = find_access(current_app, request.endpoint)
    if access is None:
        raise PermissionDeniedError(said("This page is closed."))
    if access.kind == "public" or (access.is_open is not None and access.is_open()):
        return None
    if access.kind == "signed_request":
        _enforce_signature(access)
        return None
    return _enforce_person(access)


def _enforce_signature(access: Access) -> None:
    guard: SignedRequestGuard | None = current_app.extensions.get(_GUARD_EXTENSION)
    if guard is None:
        raise AuthenticationError(said("Signed requests are not accepted here."))
    guard(access.names)


def _enforce_person(access: Access) -> ResponseReturnValue | None:
    if not current_user.is_authenticated:
        had_session = "_user_id" in session
        if had_session and request.method == "POST" and request.form and not wants_problem():
            return redirect(url_for("auth.keep", to=request.path, next=present_page()), code=307)
        if is_htmx() or wants_problem():
            raise AuthenticationError(said("Your session has ended."))
        return redirect(login_url(), code=303)
    if access.names and current_user.role not in access.names:
        raise PermissionDeniedError(said("This page is for another role than yours."))
    return None


def init_guards(app: Flask) -> None:
    """Judge every request before its view runs."""
    app.before_request(_enforce)
