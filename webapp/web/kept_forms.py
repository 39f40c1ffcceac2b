"""What was typed into a form whose session had ended, carried through the log-in and offered to be sent again.

It travels in the form of the log-in, signed, and is kept nowhere else. Only the one who typed it, known by the ended
session, gets it back. Passwords, codes and files do not travel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import current_app, request, session
from itsdangerous import BadSignature, URLSafeTimedSerializer

from webapp.web.current import db_session, services
from webapp.web.guards import safe_next

LONGEST_SECONDS = 3600
LARGEST_CHARACTERS = 100_000
FIELD = "kept_form"
_NOT_KEPT = ("password", "repeated", "code", "proof", "secret", "csrf_token", FIELD)
# What a form carries for itself, and nobody has typed.
_UNSEEN = ("idempotency_key", "seen", "next")


@dataclass(frozen=True, slots=True)
class KeptForm:
    """`fields` were to be sent to `path`, by the page `page`."""

    user_id: int
    path: str
    page: str
    fields: tuple[tuple[str, str], ...]

    @property
    def typed(self) -> list[tuple[str, str]]:
        """What there is to read of it: the names of the fields in words, and what stood in them."""
        return [
            (name.replace("_", " ").capitalize(), value)
            for name, value in self.fields
            if value and not name.startswith(_UNSEEN)
        ]


def keep() -> str:
    """The form that the guard has sent on here with all its fields, as text for the log-in's own form.

    Empty when it cannot be kept.
    """
    path, user_id = safe_next(request.args.get("to")), _whose_session_it_was()
    if path is None or user_id is None:
        return ""
    page = safe_next(request.args.get("next")) or "/"
    fields = [(name, value) for name, value in request.form.items(multi=True) if not name.endswith(_NOT_KEPT)]
    kept = _signer().dumps([user_id, path, page, fields])
    return str(kept) if len(kept) <= LARGEST_CHARACTERS else ""


def open_kept(text: str | None, user_id: int) -> KeptForm | None:
    """What was kept for this user; None for anything else: another's, one that is too old, one made elsewhere."""
    try:
        owner, path, page, fields = _signer().loads(text or "", max_age=LONGEST_SECONDS)
    except BadSignature:
        return None
    return KeptForm(owner, path, page, _as_pairs(fields)) if owner == user_id else None


def _as_pairs(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in fields)


def _whose_session_it_was() -> int | None:
    token = session.get("_user_id")
    return services().sessions(db_session()).find_owner(token) if token else None


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="kept-form")
