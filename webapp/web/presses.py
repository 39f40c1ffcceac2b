"""Money buttons: pressed twice they count once.

A drawn button carries an idempotency key (`hidden_fields(money=True)`). The first press stores where it led, in the
transaction of its effect; every later press leads there too and does nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import request
from flask_login import current_user

from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said
from webapp.services import idempotency
from webapp.services.idempotency import StoredAnswer
from webapp.web.current import db_session

KEY_FIELD = "idempotency_key"
SEE_OTHER = 303
# They differ between two presses of one button, and mean nothing. Of a password nothing is kept: not in a hash either,
# which whoever has the database could try passwords against.
_UNCOUNTED = frozenset({"csrf_token", KEY_FIELD, "password", "proof"})


def press_once(effect: Callable[[], str]) -> str:
    """Run `effect` in one unit of work unless this button was pressed before; the address that it led to.

    `effect` returns an address of this site. What it raises undoes everything, and the button may be pressed again.
    Raises ValidationError for a form without a key, IdempotencyMismatchError when the key came with other fields.
    """
    key, fields = _pressed()
    answer = idempotency.run(
        db_session(), current_user.actor.name, key, fields, lambda: StoredAnswer(SEE_OTHER, "", effect())
    )
    return answer.location or request.path


def press_repeatable(effect: Callable[[], str]) -> str:
    """The same for an effect that asks the daemon, and so runs in units of work of its own.

    Pressed twice at the same moment it may run twice: it has to be one that does nothing more the second time.
    """
    key, fields = _pressed()
    stored = idempotency.find(db_session(), current_user.actor.name, key, fields)
    if stored is not None:
        return stored.location or request.path
    location = effect()
    return press_once(lambda: location)


def _pressed() -> tuple[str, str]:
    """The button's key, and a hash of what was sent with it."""
    key = request.form.get(KEY_FIELD)
    if not key:
        raise ValidationError(said("the form is incomplete: load the page again and repeat what you did"))
    fields = {name: request.form.getlist(name) for name in request.form if name not in _UNCOUNTED}
    return key, idempotency.request_hash(request.path, fields)
