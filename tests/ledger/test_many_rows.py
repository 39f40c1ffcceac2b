"""Many rows at once come back as they were sent, whatever is in them, and nothing is cut off."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import OperatorAction
from webapp.models.many_rows import insert_rows
from webapp.services.unit_of_work import unit_of_work

AWKWARD = [
    "",
    "NULL",
    'a "quoted" one',
    "back\\slash",
    '\\"',
    "{a,b}",
    "a','b",
    '","',
    "Grüße 🦆\n\ttab",
    " padded ",
]


def _rows(texts: list[str]) -> list[dict[str, object]]:
    now = utcnow()
    alike = {"at": now, "actor": "user:1", "action": "test"}
    return [
        {**alike, "subject": text, "detail": {text: [text, 0.5, None, 10**30]} if number % 3 else {}}
        for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize("texts", [["plain", "another"], ["one"], AWKWARD], ids=["plain", "one", "awkward"])
def test_rows_come_back_as_they_were_sent(session: Session, texts: list[str]) -> None:
    rows = _rows(texts)
    with unit_of_work(session):
        insert_rows(session.connection(), OperatorAction, rows)
    found = session.scalars(select(OperatorAction).order_by(OperatorAction.id))
    assert [{name: getattr(each, name) for name in rows[0]} for each in found] == rows


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_what_is_too_long_for_its_column_is_refused(session: Session) -> None:
    with pytest.raises(DBAPIError, match="too long"), unit_of_work(session):
        insert_rows(session.connection(), OperatorAction, _rows(["short", "x" * 129]))
