"""A statement of what is owed and held, published, downloaded, and checked by somebody who trusts nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.support.address_keys import AddressKey
from tests.support.market import Market
from tests.support.people import make_person
from webapp import ROOT
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.solvency import load, verify
from webapp.ledger.journal import Move, post
from webapp.models import Reconciliation, SolvencyLeaf, SolvencyStatement
from webapp.services import operator_actions
from webapp.services.payouts import halts as payout_halts
from webapp.services.solvency import proofs, publish, statements
from webapp.services.solvency.publish import Publisher, ReservesShortError, StatementNotMadeError
from webapp.services.unit_of_work import unit_of_work

COLD = AddressKey(7)


def publisher(market: Market) -> Publisher:
    market.session.rollback()
    return Publisher(market.session, market.services.settings, market.services.daemon)


def publish_now(market: Market) -> SolvencyStatement:
    return publisher(market).publish()


def newest(market: Market) -> SolvencyStatement:
    market.session.rollback()
    found = statements.latest(market.session)
    assert found is not None
    market.session.commit()
    return found


def proof(market: Market, statement: SolvencyStatement, wallet_id: int) -> Any:
    """The proof as it is downloaded."""
    made = proofs.proof_of(market.session, statement, wallet_id)
    market.session.commit()
    return load(json.dumps(made))


def ask_nobody(file: Path, *options: str) -> tuple[int, str]:
    """The check as a user runs it: no service, no database, no settings."""
    command = [sys.executable, "-m", "webapp.domain.solvency", "verify", str(file), *options]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def put_into_cold_storage(market: Market, amount: str) -> None:
    """As a sweep does it: the fund bears the fee."""
    custody = market.chain.custody
    txid = custody.rpc("sendtoaddress", COLD.address, amount)
    fee = Amount.parse(abs(custody.rpc("gettransaction", txid)["fee"]))
    moves = [
        Move(accounts.COLD, accounts.CHAIN, Amount.parse(amount)),
        Move(accounts.FUND, accounts.NETWORK_FEES, fee),
    ]
    with unit_of_work(market.session):
        post(market.session, "test:sweep", "cold_sweep", moves)
    market.chain.mine()


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
@pytest.mark.settings(custody={"cold_address": COLD.address})
def test_what_is_owed_is_proved_to_each_owner(market: Market, tmp_path: Path) -> None:
    market.deposit(market.payer, "100")
    assert statements.latest(market.session) is None
    with unit_of_work(market.session):
        market.session.execute(update(Reconciliation).values(checked_at=utcnow() - timedelta(hours=2)))
    market.work()  # the first one comes by itself
    assert verify(newest(market).document).is_good
    assert (newest(market).liabilities, newest(market).reserves) == (100 * 10**8, 100 * 10**8)
    market.release(market.escrow("60"))
    market.escrow("20")
    put_into_cold_storage(market, "30")
    market.withdraw(market.provider, market.chain.new_outside_address(), "7")
    market.work()  # on the network: neither owed nor held here any more
    with unit_of_work(market.session):
        payout_halts.halt(market.session, "operator", "a quiet hour")
    market.withdraw(market.payer, market.chain.new_outside_address(), "10")
    market.chain.deposit(market.address_of(market.provider), "5", 1)
    with pytest.raises(StatementNotMadeError):
        publish_now(market)  # the worker has not read the last block
    market.work()
    assert market.balances(market.payer) == ("10.00000000", "20.00000000")
    assert market.balances(market.provider) == ("50.00000000", "0.00000000")
    fund = Amount.parse(market.fund())

    statement = publish_now(market)

    said = statement.document["statement"]
    assert statement.liabilities == statement.reserves == 95 * 10**8 + fund.base_units
    assert said["block_hash"] == market.chain.miner.rpc("getbestblockhash")
    assert said["cold_storage"] == [{"address": COLD.address, "amount": "30.00000000"}]
    assert said["other_coins"] == "0.00000000"
    assert sum(Amount.parse(coins["amount"]).base_units for coins in said["coins"]) == (
        65 * 10**8 + fund.base_units
    )
    for coins in said["coins"]:
        signature = statement.document["signatures"][coins["address"]]
        assert market.chain.miner.rpc(
            "verifymessage", coins["address"], signature, statement.document["message"]
        )
    assert len(verify(statement.document).doubts) == 1  # nobody has signed for cold storage yet

    payers = proof(market, statement, market.payer.wallet_id)
    assert payers["owner"] == f"wallet:{market.payer.wallet_id}"
    stated = [payers[kind] for kind in ("balance", "available", "held", "arriving", "leaving")]
    assert stated == ["40.00000000", "10.00000000", "20.00000000", "0.00000000", "10.00000000"]
    providers = proof(market, statement, market.provider.wallet_id)
    assert (providers["balance"], providers["arriving"]) == ("55.00000000", "5.00000000")
    strangers = market.session.scalars(
        select(SolvencyLeaf).where(SolvencyLeaf.wallet_id.is_distinct_from(market.payer.wallet_id))
    ).all()
    assert not any(leaf.nonce in json.dumps(payers) or leaf.label in json.dumps(payers) for leaf in strangers)

    _sign_for_cold_storage(market, statement)
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(proof(market, statement, market.payer.wallet_id)))
    status, text = ask_nobody(file, "--strict")
    assert status == 0, text
    assert "40.00000000 FLOP" in text
    assert not verify(load(file.read_text().replace('"balance": "40', '"balance": "41'))).is_good
    market.session.commit()
    _publish_again(market, statement)


def _sign_for_cold_storage(market: Market, statement: SolvencyStatement) -> None:
    operator = make_person(market.session, market.services, "operator").actor
    message, magic = statement.document["message"], statement.document["statement"]["message_magic"]

    def add(signature: str) -> SolvencyStatement:
        return statements.add_cold_signature(
            market.session, market.services.daemon, operator, statement.id, signature
        )

    for wrong in (AddressKey(8).sign(message, magic), COLD.sign("something else", magic), "nonsense"):
        with pytest.raises(ValidationError):
            add(wrong)
    for _ in range(2):
        add(COLD.sign(message, magic))
    assert verify(statements.get(market.session, statement.id).document).doubts == []
    assert len(operator_actions.of_subject(market.session, f"statement:{statement.id}")) == 1
    market.session.commit()


def _publish_again(market: Market, first: SolvencyStatement) -> None:
    """One unit too little is too little; what is published is published when it is due; old leaves are pruned."""
    move = Move(accounts.CHAIN, accounts.available(market.payer.wallet_id), Amount(1))
    with unit_of_work(market.session):
        post(market.session, "forged", "deposit_credit", [move])
    with pytest.raises(ReservesShortError, match=r"0\.00000001"):
        publish_now(market)
    assert publish.ALERT in market.alerts()
    with unit_of_work(market.session):
        post(market.session, "put right", "deposit_reverse", [move.reversed()])

    publisher(market).publish_if_due()
    assert newest(market).id == first.id
    with unit_of_work(market.session):
        market.session.execute(update(SolvencyStatement).values(published_at=utcnow() - timedelta(hours=25)))
    publish.KEPT_PROOFS, kept = 1, publish.KEPT_PROOFS
    try:
        publisher(market).publish_if_due()
    finally:
        publish.KEPT_PROOFS = kept
    second = newest(market)
    assert second.id != first.id
    assert verify(proof(market, second, market.payer.wallet_id)).is_good
    entries = statements.list_entries(market.session).items
    assert [entry.id for entry in entries[:2]] == [second.id, first.id]
    with pytest.raises(NotFoundError):
        proof(market, first, market.payer.wallet_id)
    with pytest.raises(NotFoundError):
        proof(market, second, 10**6)
    market.session.commit()
    with unit_of_work(market.session):
        payout_halts.clear(market.session, "operator", "test")
