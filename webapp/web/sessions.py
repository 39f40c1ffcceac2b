"""Who is looking at a page: Flask-Login over our own table of sessions.

The cookie holds the token of a row in `user_sessions`, so a session can be listed, revoked and timed out, and a
cookie that was copied is worth nothing after the log-out. Flask-Login's remember cookie is not used.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from flask import Flask, Request, Response, g, redirect, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import AnonymousUserMixin, UserMixin, current_user, login_user, logout_user

from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Actor, Role
from webapp.domain.said import said
from webapp.extensions import login_manager
from webapp.models import User, UserSession
from webapp.services.sessions import Sessions
from webapp.services.wallet_ownership import actor_of_person
from webapp.web.current import db_session, services
from webapp.web.devices import new_device
from webapp.web.guards import login_url
from webapp.web.language import browser_choice, keep_browser_choice
from webapp.web.live import is_live


class SignedInUser(UserMixin):
    """A user in one session: what `current_user` is on pages. `user` is the row, `session_id` the session's."""

    def __init__(self, row: UserSession, token: str) -> None:
        self.user: User = row.user
        self.session_id: int = row.id
        self.confirmed_at: datetime = row.confirmed_at
        self._token = token

    def get_id(self) -> str:
        """What the cookie carries: the session's token, never the user's id."""
        return self._token

    @property
    def id(self) -> int:
        """The user's id."""
        return self.user.id

    @property
    def email(self) -> str:
        """The e-mail address that the user logs in with."""
        return self.user.email

    @property
    def role(self) -> Role:
        """What the user is here for."""
        return Role(self.user.role)

    @cached_property
    def actor(self) -> Actor:
        """The user as the services take them, with the ids of their wallets."""
        return actor_of_person(db_session(), self.user)


class _BrowserCookies(SecureCookieSessionInterface):
    """Flask's own, which gets its keys ready only where there is a cookie: programs bring none and take none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return (
            super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()
        )

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session or session.accessed or session.modified:
            super().save_session(app, session, response)


def browser_sessions() -> Sessions:
    """The sessions service for the present request."""
    return services().sessions(db_session())


def find_signed_in_user(token: str) -> SignedInUser | None:
    """The user of a cookie's token, or None when the session has ended."""
    # What an open page asks by itself is no sign that somebody is there.
    row = browser_sessions().find(token, is_used=not is_live())
    return SignedInUser(row, token) if row is not None else None


def log_in(user: User) -> None:
    """Open a session for the user in this browser. What the cookie held before is dropped, its CSRF token too."""
    sessions = browser_sessions()
    token = sessions.open(
        user,
        ip_address=request.remote_addr or "",
        user_agent=request.headers.get("User-Agent", ""),
        new_device=new_device(sessions, user),
    )
    language = browser_choice()
    session.clear()
    keep_browser_choice(language)
    signed_in_user = find_signed_in_user(token)
    if signed_in_user is None:
        raise NotFoundError(said("the session has ended"))
    login_user(signed_in_user)


def log_out() -> None:
    """End the session in the database and empty the cookie."""
    if current_user.is_authenticated:
        browser_sessions().revoke(current_user.user, current_user.session_id)
    language = browser_choice()
    logout_user()
    session.clear()
    keep_browser_choice(language)


def leave_visitor_unknown() -> None:
    """Draw what follows for nobody in particular unless it is known who asks: to find that out may be what failed."""
    if "_login_user" not in g:  # where Flask-Login keeps who it has found
        g._login_user = AnonymousUserMixin()


def _to_log_in() -> ResponseReturnValue:
    return redirect(login_url(), code=303)


def init_sessions(app: Flask) -> None:
    """Tie Flask-Login to the app and fix the cookie's attributes."""
    secure = app.extensions["duxos"].settings.security.cookie_secure
    app.config.update(
        SESSION_COOKIE_NAME="__Host-duxos" if secure else "duxos",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        # A form may stay open as long as its session: the token is bound to it.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.session_interface = _BrowserCookies()
    login_manager.init_app(app)
    login_manager.user_loader(find_signed_in_user)
    login_manager.unauthorized_handler(_to_log_in)
