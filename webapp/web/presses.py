"""Money buttons: pressed twice they count once, and they act only on what the page showed.

A drawn button carries an idempotency key (`hidden_fields(money=True)`) and, where there is a state, the one that it
was drawn with (`seen`). The first press stores where it led, in the transaction of its effect; every later press
leads there too and does nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import request
from flask_login import current_user

from webapp.domain.canonical import sha256_hex
from webapp.domain.exceptions import IdempotencyMismatchError, ValidationError
from webapp.models import IdempotencyKey
from webapp.models.insert_once import insert_once
from webapp.services.unit_of_work import unit_of_work
from webapp.web.current import db_session

KEY_FIELD = "idempotency_key"
MAX_KEY_LENGTH = 128
# They differ between two presses of one button, and mean nothing.
_UNCOUNTED = frozenset({"csrf_token", KEY_FIELD})


def press_once(effect: Callable[[], str]) -> str:
    """Run `effect` in one unit of work unless this button was pressed before; the address that it led to.

    `effect` returns an address of this site. What it raises undoes everything, and the button may be pressed again.
    Raises ValidationError for a form without a key, IdempotencyMismatchError when the key came with other fields.
    """
    key = request.form.get(KEY_FIELD, "")
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise ValidationError("the form is incomplete: load the page again and repeat what you did")
    session, principal = db_session(), current_user.actor.name
    fields = [[name, request.form.getlist(name)] for name in sorted(request.form) if name not in _UNCOUNTED]
    request_hash = sha256_hex([request.path, fields])
    with unit_of_work(session):
        values = {
            "principal": principal,
            "key": key,
            "request_hash": request_hash,
            "response_status": 303,
            "response_body": "",
        }
        if insert_once(session, IdempotencyKey, values) is None:
            return _first_answer(principal, key, request_hash)
        location = effect()
        session.get_one(IdempotencyKey, (principal, key)).response_location = location
    return location


def _first_answer(principal: str, key: str, request_hash: str) -> str:
    stored = db_session().get_one(IdempotencyKey, (principal, key), populate_existing=True)
    if stored.request_hash != request_hash or stored.response_location is None:
        raise IdempotencyMismatchError("this form was sent before with other values: load the page again")
    return stored.response_location
