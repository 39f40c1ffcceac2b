"""A withdrawal beyond what may leave: refused beside its field, in words that say what is left, and when more is."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from tests.support.browsing import Browser
from tests.support.people import Pair, make_key
from tests.support.signing import Program
from webapp.models import Payout

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"

pytestmark = pytest.mark.settings(custody={"daily_withdrawal_limit": "100", "approval_above": "30"})


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_the_form_says_what_may_leave_and_a_large_withdrawal_waits_for_an_operator(
    payer: Browser, pair: Pair, session, htmx: bool
) -> None:
    def withdraw(amount: str):
        data = {"idempotency_key": uuid.uuid4().hex, "wallet": pair.payer.wallet_id}
        return payer.post("/wallet/withdraw", data | {"address": ADDRESS, "amount": amount}, htmx=htmx)

    made = withdraw("40")
    refused = withdraw("60.1")

    assert refused.status_code == 422
    assert (
        "Is more than may leave now: 60.00000000 FLOP is left of 100.00000000 FLOP in 24 hours"
        in refused.text
    )
    assert 'value="60.1"' in refused.text
    payout = session.scalars(select(Payout)).one()
    assert (payout.status, payout.requested_by) == ("awaiting_approval", pair.payer.actor.name)
    shown = payer.get(made.headers.get("HX-Redirect") or made.location).text
    assert 'data-state="awaiting_approval"' in shown


def test_a_program_reads_the_same_in_its_problem_document(app, pair: Pair, session, services) -> None:
    program = Program(app, make_key(session, services, pair.payer))
    path = f"/wallet/{pair.payer.wallet_id}/withdraw"
    assert program.post(path, {"address": ADDRESS, "amount": "70"}).json["status"] == "awaiting_approval"
    refused = program.post(path, {"address": ADDRESS, "amount": "31"})
    assert refused.status_code == 422
    assert refused.json["type"] == "urn:duxos:problem:withdrawal-limit"
    (error,) = refused.json["errors"]
    assert error["field"] == "amount"
    assert "30.00000000 FLOP is left" in error["message"]
