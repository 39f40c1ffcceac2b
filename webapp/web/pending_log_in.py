"""A log-in whose password was right and that waits for its code. It travels in the form, signed, for a few minutes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer

from webapp.models import User
from webapp.web.current import db_session

LONGEST_SECONDS = 300


@dataclass(frozen=True, slots=True)
class PendingLogIn:
    """Who logs in, and what is to follow: the page, and what was kept of a form (`kept_forms`)."""

    user: User
    next: str
    kept_form: str


def to_text(pending: PendingLogIn) -> str:
    """For the form that asks for the code."""
    user = pending.user
    return str(_signer().dumps([user.id, _password_mark(user), pending.next, pending.kept_form]))


def of_text(text: str | None) -> PendingLogIn | None:
    """None when it is too old or made elsewhere, or when the password was changed since."""
    try:
        user_id, mark, page, kept_form = _signer().loads(text or "", max_age=LONGEST_SECONDS)
    except BadSignature:
        return None
    user = db_session().get(User, user_id, populate_existing=True)
    if user is None or not user.is_active or _password_mark(user) != mark:
        return None
    return PendingLogIn(user, page, kept_form)


def _password_mark(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="pending-log-in")
