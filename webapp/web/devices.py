"""Which browsers somebody has logged in with before: a signed cookie in each of them says so, and nothing else does.

Whoever has stolen a password does not have it, so that its owner hears of the log-in.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Response, after_this_request, current_app, request
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeSerializer

from webapp.models import User
from webapp.services.sessions import Sessions
from webapp.web.current import services

KEPT = timedelta(days=400)
# A browser of a whole family, or of a shop.
MOST_USERS = 20

_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")


def device_name(user_agent: str) -> str:
    """The browser and system in two words, for recognising one's own."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), None)
    system = next((name for name in _SYSTEMS if name in user_agent), None)
    if browser and system:
        return _("%(browser)s on %(system)s", browser=browser, system=system)
    return browser or system or _("Unknown browser")


def new_device(sessions: Sessions, user: User) -> str | None:
    """The name of the browser if the user has never logged in with it; None for a known one, and for their first.

    The browser is known from here on.
    """
    known = _known()
    _remember([user.id, *(number for number in known if number != user.id)][:MOST_USERS])
    if user.id in known or sessions.is_first(user):
        return None
    return device_name(request.headers.get("User-Agent", ""))


def _known() -> list[int]:
    try:
        found = _serializer().loads(request.cookies.get(_cookie_name(), ""))
    except BadData:
        return []
    return [number for number in found if isinstance(number, int)] if isinstance(found, list) else []


def _remember(user_ids: list[int]) -> None:
    is_secure = services().settings.security.cookie_secure

    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            _cookie_name(),
            _serializer().dumps(user_ids),
            max_age=KEPT,
            secure=is_secure,
            httponly=True,
            samesite="Lax",
        )
        return response


def _cookie_name() -> str:
    return "__Host-duxos-known" if services().settings.security.cookie_secure else "duxos-known"


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.config["SECRET_KEY"]), salt="known browsers")
