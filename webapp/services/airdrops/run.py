"""The automatic airdrop, step by step: decided, posted, its shares sent. Each step is committed by itself.

A worker that is stopped anywhere leaves something that the next one goes on with: a snapshot that is not posted, a
posted airdrop whose shares wait. Of several workers one stores the snapshot; the others see that by its number.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.airdrops import Decision, NodeFacts, Snapshot, decide, hash_of
from webapp.domain.clock import utcnow
from webapp.domain.failpoints import Step, step
from webapp.domain.money import ZERO, Amount
from webapp.domain.roles import WORKER
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.models import Airdrop
from webapp.services import chain_cursor
from webapp.services.airdrops import book, facts, schedule
from webapp.services.airdrops.facts import NodesAsTheyAre
from webapp.services.airdrops.shares import Shares
from webapp.services.node_directory import (
    DirectoryNode,
    DirectoryUnreachableError,
    NodeDirectory,
    directory_of,
)
from webapp.services.nodes import tallies
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

# A snapshot that could not be posted for so long tells of other times; another one is taken.
STALE_AFTER = timedelta(hours=1)
STALE = said("it could not be posted within an hour; another snapshot is taken")
UNCOUNTED = said("the work that nodes were paid for has not been counted up to today")
# Looking at all nodes again and again in vain takes at most this part of a worker's time.
PART_OF_TIME = 0.05


class AirdropRun:
    """The worker's task. `run` does whatever is to be done now, and may be repeated at will."""

    def __init__(self, session: Session, settings: Settings, directory: NodeDirectory | None = None) -> None:
        self._session = session
        self._settings = settings
        self._directory = directory or directory_of(session, settings)
        self._shares = Shares(session, settings)
        self._looks_again_at = 0.0

    def run(self) -> None:
        """Go on with what was begun, begin an airdrop if one is due, and send shares."""
        for airdrop_id, taken_at in self._standing("snapshot"):
            self._resume(airdrop_id, taken_at)
        self._begin_if_due()
        for airdrop_id, _ in self._standing("paying"):
            self._shares.run(airdrop_id)

    def _standing(self, status: str) -> list[tuple[uuid.UUID, datetime]]:
        rows = self._session.execute(
            select(Airdrop.id, Airdrop.taken_at).where(Airdrop.status == status).order_by(Airdrop.number)
        ).all()
        self._session.commit()
        return [(row.id, row.taken_at) for row in rows]

    def _resume(self, airdrop_id: uuid.UUID, taken_at: datetime) -> None:
        now = utcnow()
        if now - taken_at > STALE_AFTER:
            self._abandon(airdrop_id)
        elif not self._hindrance(now):
            self._post(airdrop_id)

    def _begin_if_due(self) -> None:
        now = utcnow()
        outlook = schedule.look(self._session, self._settings, now)
        self._session.commit()
        # First that it is due: whatever goes wrong then, the alerts know since when.
        schedule.note(self._session, is_due=outlook.is_due, reason=outlook.blocked or "", now=now)
        if not outlook.is_due or time.monotonic() < self._looks_again_at:
            return
        reason = self._hindrance(now) or self._begin(now)
        schedule.note(self._session, is_due=bool(reason), reason=reason, now=now)

    def _hindrance(self, now: datetime) -> str:
        reason = schedule.hindrance(self._session, now)
        self._session.commit()
        return reason or ""

    def _begin(self, now: datetime) -> str:
        """Decide, store and post. Returns what keeps it from going, or nothing."""
        began = time.monotonic()
        is_behind = tallies.is_behind(self._session, self._settings)
        self._session.commit()
        if is_behind:
            return UNCOUNTED
        try:
            listed = self._directory.list_nodes(fresh=True)
        except DirectoryUnreachableError as error:
            return error.detail
        snapshot, nodes = self._take_snapshot(listed, now)
        document = snapshot.document()
        decision = decide(snapshot, hash_of(document))
        recipients = recipients_of(decision, nodes)
        reason = "" if decision.shares else why_nobody(snapshot.nodes, decision)
        if not reason and not any(self._can_be_paid(each) for each in recipients):
            reason = said(
                "each share would be too little to be sent to an address, and no node has a wallet here"
            )
        if reason:
            took = time.monotonic() - began
            self._looks_again_at = time.monotonic() + took / PART_OF_TIME
        elif self._store(snapshot, document, recipients):
            self._post(uuid.UUID(snapshot.airdrop_id))
        return reason

    def _can_be_paid(self, recipient: book.Recipient) -> bool:
        return recipient.wallet_id is not None or recipient.amount >= self._settings.wallet.min_payout

    def _take_snapshot(
        self, listed: Sequence[DirectoryNode], now: datetime
    ) -> tuple[Snapshot, NodesAsTheyAre]:
        tip = chain_cursor.read_so_far(self._session)
        assert tip is not None, said("a chain that was never read is a hindrance")
        number = book.next_number(self._session)
        outlook = schedule.look(self._session, self._settings, now)
        nodes = facts.collect(self._session, self._settings, outlook.rules, listed, now)
        self._session.commit()
        snapshot = Snapshot(
            airdrop_id=str(uuid7()),
            number=number,
            taken_at=now,
            block_height=tip.height,
            block_hash=tip.hash,
            balance=outlook.balance,
            set_aside=self._set_aside(outlook, nodes),
            rules=outlook.rules,
            nodes=nodes.facts,
        )
        return snapshot, nodes

    def _set_aside(self, outlook: schedule.Outlook, nodes: NodesAsTheyAre) -> Amount:
        """What the network may cost, if the fund bears it: for as many as can get a share at all."""
        wallet, rules = self._settings.wallet, outlook.rules
        if wallet.fee_paid_by != "fund":
            return ZERO
        highest, least = wallet.max_fee_per_payout.base_units, rules.min_airdrop_amount.base_units
        wanted = sum(way.pay_to == "chain" for way in nodes.ways.values())
        payable = min(wanted, rules.max_airdrop_nodes, outlook.balance.base_units // (highest + least))
        return Amount(highest * payable)

    def _store(self, snapshot: Snapshot, document: str, recipients: Sequence[book.Recipient]) -> bool:
        """Whether it was this worker that stored it."""
        with step(Step.AIRDROP_STORE), unit_of_work(self._session):
            # Whoever takes from the fund, or takes back a change of its rules, has done so before or does it after.
            pooled.lock(self._session, accounts.FUND)
            # The number comes first: whoever stores after this was read takes another one, or meets this one's row.
            is_next = book.next_number(self._session) == snapshot.number
            outlook = schedule.look(self._session, self._settings, snapshot.taken_at)
            if not is_next or not outlook.is_due or outlook.rules != snapshot.rules:
                return False
            stored = book.store(
                self._session,
                airdrop_id=uuid.UUID(snapshot.airdrop_id),
                number=snapshot.number,
                kind="automatic",
                requested_by=WORKER.name,
                reason="",
                balance=snapshot.balance,
                block_height=snapshot.block_height,
                document=document,
                recipients=recipients,
                taken_at=snapshot.taken_at,
            )
        return stored is not None

    def _post(self, airdrop_id: uuid.UUID) -> None:
        with step(Step.AIRDROP_POST), unit_of_work(self._session):
            airdrop = book.post(self._session, self._settings, airdrop_id)
            number, status, total = airdrop.number, airdrop.status, airdrop.total
        log.info("airdrop_posted", number=number, status=status, total=str(total))

    def _abandon(self, airdrop_id: uuid.UUID) -> None:
        with unit_of_work(self._session):
            airdrop = self._session.get_one(Airdrop, airdrop_id, with_for_update=True, populate_existing=True)
            if airdrop.status == "snapshot":
                book.abandon(airdrop, STALE)


def recipients_of(decision: Decision, nodes: NodesAsTheyAre) -> list[book.Recipient]:
    """Who gets what in which way, in the order of the decision."""
    found = []
    for share in decision.shares:
        way = nodes.ways[share.node_id]
        found.append(book.Recipient(share.node_id, share.amount, way.wallet_id, way.pay_to, way.address))
    return found


def why_nobody(nodes: Sequence[NodeFacts], decision: Decision) -> str:
    """Why there is no share at all, with how many nodes each reason concerns."""
    if not nodes:
        return said("there is no node")
    counts = Counter(reason for reasons in decision.refusals.values() for reason in reasons)
    reasons = "; ".join(
        f"{count} {'node' if count == 1 else 'nodes'}: {reason.words}"
        for reason, count in counts.most_common()
    )
    return said("no node can be given anything ({reasons})", reasons=reasons)
