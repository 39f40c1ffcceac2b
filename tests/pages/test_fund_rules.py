"""The page of the fund's rules: everybody reads what holds and what will; operators announce, and take back in time."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.pages.conftest import logged_in
from tests.support.browsing import Browser
from tests.support.people import PASSWORD, make_person
from webapp.domain.roles import AT_TERMINAL
from webapp.models import FundRuleChange
from webapp.services import fund_rules
from webapp.services.container import Services

_INPUT = re.compile(r"<input[^>]*>")


def fields(page: str, form: str = 'action="/fund/rules"') -> dict[str, str]:
    """What the form on the page would send, as it is drawn."""
    body = page[page.index(form) :]
    found = {}
    for tag in _INPUT.findall(body[: body.index("</form>")]):
        name, value = (re.search(rf'{each}="([^"]*)"', tag) for each in ("name", "value"))
        assert name
        if 'type="radio"' not in tag or "checked" in tag:
            found[name.group(1)] = value.group(1) if value else ""
    return found


@pytest.fixture
def operator(app: Flask, session: Session, services: Services) -> Browser:
    return logged_in(app, make_person(session, services, "operator"))


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_change_is_shown_first_and_announced_as_it_was_shown(
    operator: Browser, payer: Browser, session: Session, htmx: bool
) -> None:
    form = fields(operator.get("/fund/rules").text)
    typed = form | {"airdrop_threshold": "250", "reason": "Fees have risen", "airdrop_shares": "reputation"}
    shown = operator.post("/fund/rules", typed, htmx=htmx)

    assert shown.status_code == 200
    assert shown.text.startswith('<div id="fund-rules">') is htmx
    assert "This changes on" in shown.text
    assert "in proportion to reputation" in shown.text
    assert session.scalars(select(FundRuleChange)).all() == []
    drawn = fields(shown.text)
    assert (drawn["airdrop_threshold"], drawn["reason"]) == ("250", "Fees have risen")

    for password in ("", "not this one"):
        guessed = operator.post("/fund/rules", drawn | {"password": password}, htmx=htmx)
        assert guessed.status_code == 422
        assert "This is not your password" in guessed.text
    drawn = fields(guessed.text) | {"password": PASSWORD}

    # What is not what was shown is not announced, but shown in its turn.
    other = operator.post("/fund/rules", drawn | {"airdrop_threshold": "900"}, htmx=htmx)
    assert other.status_code == 409
    assert "900.00000000" in other.text
    session.rollback()
    assert session.scalars(select(FundRuleChange)).all() == []

    for _ in range(2):
        done = operator.post("/fund/rules", drawn, htmx=htmx)
        assert done.status_code == (200 if htmx else 303)
    session.rollback()
    (change,) = session.scalars(select(FundRuleChange)).all()
    assert set(change.changes) == {"airdrop_threshold", "airdrop_shares"}

    for path in ("/fund", "/fund/rules"):
        page = payer.get(path).text
        assert "250.00000000\u00a0FLOP" in page, path
        assert "about to change" in page
        assert "user:" not in page
    assert "Fees have risen" in payer.get("/fund/rules").text
    assert 'action="/fund/rules' not in payer.get("/fund/rules").text

    withdraw = f"/fund/rules/{change.id}/withdraw"
    button = fields(operator.get("/fund/rules").text, f'action="{withdraw}"')
    assert operator.post(withdraw, button, htmx=htmx).status_code == (200 if htmx else 303)
    again = fields(operator.get("/fund/rules").text)
    assert (
        operator.post(withdraw, {"idempotency_key": again["idempotency_key"]}, htmx=htmx).status_code == 409
    )
    assert "about to change" not in payer.get("/fund").text
    assert "Withdrawn" in payer.get("/fund/rules").text


def test_what_is_wrong_is_said_beside_its_field_and_stays_typed(
    operator: Browser, session: Session, services: Services
) -> None:
    fund_rules.propose(session, services.settings, AT_TERMINAL, {"max_airdrop_nodes": "20"}, "A trial")
    form = fields(operator.get("/fund/rules").text)
    wrong = {"airdrop_threshold": "a lot", "max_airdrop_nodes": "30", "waiting_period_hours": "9999"}
    page = operator.post("/fund/rules", form | wrong | {"reason": "Because"})

    assert page.status_code == 422
    for name, typed in wrong.items():
        assert f'id="{name}-error"' in page.text
        assert fields(page.text)[name] == typed
    assert "Is about to change already" in page.text
    assert 'id="reason-error"' in operator.post("/fund/rules", form).text
    nothing = operator.post("/fund/rules", form | {"reason": "Because"})
    assert nothing.status_code == 422
    assert "Nothing would change" in nothing.text
    assert len(fund_rules.list_changes(session).items) == 1


def test_only_operators_change_the_rules(app: Flask, payer: Browser, session, services) -> None:
    change = fund_rules.propose(session, services.settings, AT_TERMINAL, {"max_airdrop_nodes": "20"}, "Trial")
    arbiter = logged_in(app, make_person(session, services, "arbiter"))
    for visitor in (payer, arbiter):
        assert "Change the rules" not in visitor.get("/fund/rules").text
        assert visitor.post("/fund/rules").status_code == 403
        assert visitor.post(f"/fund/rules/{change.id}/withdraw").status_code == 403
    assert len(fund_rules.pending(session)) == 1
