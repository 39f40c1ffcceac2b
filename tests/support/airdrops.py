"""Nodes that may take part in an airdrop, a fund that has enough, and a chain that was just read: without a daemon.

A test that compares the books with a real daemon must not use `fill_fund`: those coins would be missing there.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.ledger.journal import Move, post
from webapp.models import (
    Airdrop,
    AirdropRecipient,
    ChainCursor,
    DaemonFigures,
    Node,
    NodeDay,
    NodeHeartbeat,
    Payout,
)
from webapp.services.node_directory import DirectoryNode, DirectoryUnreachableError
from webapp.services.payouts.queue import return_to_wallet
from webapp.services.unit_of_work import unit_of_work

_numbers = itertools.count(1)


class Listed:
    """A registry of nodes elsewhere, as tests want it; None for one that is out of reach."""

    def __init__(self, nodes: Sequence[DirectoryNode] | None) -> None:
        self.nodes = nodes

    def list_nodes(self, fresh: bool = False) -> Sequence[DirectoryNode]:
        if self.nodes is None:
            raise DirectoryUnreachableError("it did not answer within 10 seconds")
        return self.nodes

    def find(self, node_id: str, fresh: bool = False) -> DirectoryNode | None:
        return next((node for node in self.list_nodes(fresh) if node.node_id == node_id), None)


def listed(node_id: str, address: str | None = None, status: Any = "active") -> DirectoryNode:
    """A node as a registry elsewhere lists it."""
    return DirectoryNode(node_id, status, None, address)


def fill_fund(session: Session, amount: str) -> None:
    """Put `amount` FLOP into the community fund."""
    with unit_of_work(session):
        post(
            session,
            f"test:{uuid.uuid4()}",
            "test_credit",
            [Move(accounts.CHAIN, accounts.FUND, Amount.parse(amount))],
        )


def chain_was_read(session: Session) -> None:
    """As a worker leaves it that has just read the chain and asked the daemon."""
    with unit_of_work(session):
        session.merge(
            ChainCursor(id=1, since_block="aa" * 32, tip_hash="bb" * 32, tip_height=7, read_at=utcnow())
        )
        session.merge(
            DaemonFigures(
                id=1,
                balance=ZERO,
                immature_balance=ZERO,
                fee_rate=Amount.parse("0.01"),
                coins=0,
                block_height=7,
                headers=7,
                recorded_at=utcnow(),
            )
        )


def make_nodes(
    session: Session, wallet_ids: Sequence[int], *, is_alive: bool = True, work: str = "20", **values: Any
) -> list[str]:
    """A node of each of these wallets (one that is named twice has two), which may take part; the ids.

    `values` are columns of all of them; `work` is the amount of the one escrow that each was paid for, if any.
    """
    now, first = utcnow(), next(_numbers)
    usual = {
        "status": "active",
        "status_reason": "",
        "status_since": now,
        "region": "",
        "version": "",
        "airdrop_to": "balance",
        "registered_at": now - timedelta(days=2),
        "verified_at": now,
    }
    ids = [f"node-{first:03}-{number:05}" for number in range(len(wallet_ids))]
    rows = zip(ids, wallet_ids, strict=True)
    with unit_of_work(session):
        session.execute(
            insert(Node),
            [{"id": each, "wallet_id": wallet_id, **usual, **values} for each, wallet_id in rows],
        )
        if is_alive:
            beat = {"last_beat_at": now, "load": 0, "tasks_running": 0, "version": ""}
            session.execute(insert(NodeHeartbeat), [{"node_id": each, **beat} for each in ids])
        if work:
            day = {"day": now.date(), "released": 1, "released_amount": Amount.parse(work)}
            day |= {"refunded": 0, "late": 0, "disputes_lost": 0}
            session.execute(insert(NodeDay), [{"node_id": each, **day} for each in ids])
    return ids


def airdrops(session: Session) -> list[Airdrop]:
    """All of them as they stand, the first one first."""
    session.rollback()
    rows = list(
        session.scalars(select(Airdrop).order_by(Airdrop.number).execution_options(populate_existing=True))
    )
    session.commit()
    return rows


def recipients(session: Session, airdrop: Airdrop) -> dict[str, tuple[str, str]]:
    """Node id to (status, reason)."""
    rows = session.execute(
        select(AirdropRecipient.node_id, AirdropRecipient.status, AirdropRecipient.reason).where(
            AirdropRecipient.airdrop_id == airdrop.id
        )
    )
    found = {row.node_id: (row.status, row.reason) for row in rows}
    session.commit()
    return found


def let_time_pass(session: Session, **time: float) -> None:
    """As if every airdrop had been posted so much earlier."""
    with unit_of_work(session):
        for airdrop in session.scalars(select(Airdrop).where(Airdrop.posted_at.is_not(None))):
            assert airdrop.posted_at is not None
            airdrop.posted_at -= timedelta(**time)


def confirm_payouts(session: Session) -> int:
    """As if everything that waits had been sent, without a fee, and were final; how many those were."""
    with unit_of_work(session):
        waiting = session.scalars(select(Payout).where(Payout.status == "queued")).all()
        for payout in waiting:
            move = Move(accounts.PAYOUTS_IN_FLIGHT, accounts.CHAIN, payout.gross)
            post(session, f"payout:{payout.id}:settle", "payout_settle", [move])
        session.execute(
            update(Payout)
            .where(Payout.status == "queued")
            .values(status="confirmed")
            .execution_options(synchronize_session=False)
        )
    return len(waiting)


def return_payouts(session: Session, reason: str) -> None:
    """As if an operator had returned everything that waits."""
    with unit_of_work(session):
        for payout in session.scalars(select(Payout).where(Payout.status == "queued")).all():
            return_to_wallet(session, payout, reason)
