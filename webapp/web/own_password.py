"""What is asked for once more before something that cannot be undone: the password of whoever is logged in.

Guesses are counted over all views that ask for it, or for a code in its place.
"""

from __future__ import annotations

from flask import g
from flask_babel import gettext as _
from flask_login import current_user
from wtforms import Field

from webapp.domain.exceptions import InvalidCredentialsError
from webapp.extensions import limiter
from webapp.web.current import db_session, services

WRONG_PASSWORDS = "10 per 15 minutes"

# For views that ask for it: whoever found an open browser has few guesses, over all of these views together.
limits_guessing = limiter.shared_limit(
    WRONG_PASSWORDS,
    scope="own-password",
    key_func=lambda: f"user:{getattr(current_user, 'id', None)}",
    deduct_when=lambda _response: g.get("is_wrong_password", False),
)


def note_wrong_guess() -> None:
    """Count the present request among the wrong guesses."""
    g.is_wrong_password = True


def is_own_password(field: Field) -> bool:
    """Whether the field holds the visitor's password. If not, it says so beside the field."""
    try:
        services().identity(db_session()).authenticate(current_user.email, field.data or "")
    except InvalidCredentialsError:
        note_wrong_guess()
        field.errors = [*field.errors, _("This is not your password")]
        return False
    return True
