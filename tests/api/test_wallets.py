"""Wallets and payouts over JSON."""

from __future__ import annotations

from tests.api.conftest import ADDRESS, World
from webapp.domain.money import Amount
from webapp.models import Deposit, DepositAddress
from webapp.models.insert_once import insert_once
from webapp.services.unit_of_work import unit_of_work


def test_a_wallet_shows_what_is_there_and_what_is_on_its_way(world: World) -> None:
    wallet_id = world.pair.payer.wallet_id
    with unit_of_work(world.session):
        insert_once(world.session, DepositAddress, {"address": ADDRESS})
    world.escrow("100")
    world.payout("10")
    wallet = world.payer.get(f"/wallet/{wallet_id}").json
    assert wallet == {
        "wallet_id": wallet_id,
        "available": "890.00000000",
        "held": "100.00000000",
        "incoming": "0.00000000",
        "outgoing": "10.00000000",
        "deposit_address": ADDRESS,
    }
    deposits = [("seen", 0, 3), ("seen", 1, 4), ("seen", -1, 50), ("credited", 9, 60), ("reversed", 0, 7)]
    with unit_of_work(world.session):
        for number, (status, confirmations, amount) in enumerate(deposits):
            values = {"wallet_id": wallet_id, "address": ADDRESS, "txid": f"{number:064x}", "vout": 0,
                      "amount": Amount.parse(amount), "status": "seen", "confirmations": confirmations}  # fmt: skip
            if status == "seen":
                insert_once(world.session, Deposit, values)
    assert world.payer.get(f"/wallet/{wallet_id}").json["incoming"] == "7.00000000"


def test_a_wallet_without_an_address_says_so_while_the_daemon_is_down(world: World) -> None:
    assert world.payer.get(f"/wallet/{world.pair.payer.wallet_id}").json["deposit_address"] is None


def test_a_withdrawal_makes_a_payout_that_its_owner_can_follow(world: World) -> None:
    wallet_id = world.pair.payer.wallet_id
    made = world.payer.post(f"/wallet/{wallet_id}/withdraw", {"address": ADDRESS, "amount": 12.5})
    assert made.status_code == 201
    payout = made.json
    assert made.headers["Location"] == f"/payout/{payout['id']}"
    assert payout == {
        "id": payout["id"],
        "status": "queued",
        "gross": "12.50000000",
        "fee": None,
        "net": None,
        "address": ADDRESS,
        "txid": None,
        "output_index": None,
        "confirmations": 0,
    }
    assert world.payer.get(made.headers["Location"]).json == payout
    assert world.balances(world.pair.payer) == ("987.50000000", "0.00000000")


def test_a_withdrawal_can_be_looked_at_before_it_is_asked_for(world: World) -> None:
    path = f"/wallet/{world.pair.payer.wallet_id}/withdraw/preview"
    shown = world.payer.get(f"{path}?amount=50").json
    assert shown.pop("leaves_by").endswith("Z")
    assert shown == {
        "gross": "50.00000000",
        "fee": "0.00226000",
        "net": "49.99774000",
        "max_fee": "0.05000000",
        "least_net": "49.95000000",
        "fee_paid_by": "recipient",
        "fee_rate_per_kb": "0.01000000",
        "missing_payouts": 0,
        "needs_approval": False,
        "remaining": None,
        "obstacles": [],
    }
    for amount, obstacle in (("0.04", "At least 0.06"), ("1000.1", "Only 1000.00000000 FLOP is available")):
        (said,) = world.payer.get(f"{path}?amount={amount}").json["obstacles"]
        assert obstacle in said
    for query in ("", "?amount=", "?amount=nonsense", "?amount=-1"):
        response = world.payer.get(path + query)
        assert response.status_code == 422, response.text
        assert [error["field"] for error in response.json["errors"]] == ["amount"]
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")


def test_a_withdrawal_that_cannot_be_is_refused_by_field(world: World) -> None:
    path = f"/wallet/{world.pair.payer.wallet_id}/withdraw"
    for body, field in (
        ({"address": "nonsense", "amount": "1"}, "address"),
        ({"address": "", "amount": "1"}, "address"),
        ({"address": "\0", "amount": "1"}, "address"),
        ({"address": 7, "amount": "1"}, "address"),
        ({"amount": "1"}, "address"),
        ({"address": ADDRESS}, "amount"),
        ({"address": ADDRESS, "amount": "0.01"}, "amount"),
        ({"address": ADDRESS, "amount": "1", "fee": "0"}, "fee"),
    ):
        response = world.payer.post(path, body)
        assert response.status_code == 422, response.text
        assert [error["field"] for error in response.json["errors"]] == [field]
    response = world.payer.post(path, {"address": ADDRESS, "amount": "1000.00000001"})
    assert response.json["type"] == "urn:duxos:problem:insufficient-funds"
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")
