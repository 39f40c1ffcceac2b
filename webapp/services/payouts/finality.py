"""What was final, and what was given up, while a reorganisation can still prove us wrong.

A transaction that was final and is in no block any more goes on its way again: its settlement is taken back, and the
same bytes are sent until they confirm once more. One that was given up because something else had spent its coins, and
that the chain holds after all, has paid what others may pay or have paid again: a loss until an operator has looked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.failpoints import Step, step
from webapp.domain.money import ZERO, Amount
from webapp.ledger.journal import Move, post
from webapp.models import ChainTransaction
from webapp.models.compare_and_set import changes_one_row
from webapp.services import chain_cursor
from webapp.services.daemon.answers import Tip
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.effects import UNDONE, Effects
from webapp.services.payouts.spender_search import find_twin
from webapp.services.payouts.transactions import UNSETTLED, sharing_a_coin
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

HALT_CAUSE = "reorganisation"


class _Found(NamedTuple):
    """Where the chain has a transaction that was given up, and under which id."""

    txid: str
    confirmations: int
    block_hash: str | None


class FinalityWatch:
    """Looks at recent transactions that are settled whenever there is a new block. May be run at any time."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        daemon: DaemonWallet,
        effects: Callable[[ChainTransaction], Effects],
    ) -> None:
        self._session = session
        self._watch_depth = max(chain_cursor.WATCH_DEPTH, 2 * settings.wallet.payout_confirmations)
        self._daemon = daemon
        self._effects = effects
        self._last_tip = ""

    def run(self, tip: Tip) -> None:
        """Raises RpcUnavailableError. A daemon that is behind what was read from it proves nothing."""
        if tip.hash == self._last_tip:
            return
        if chain_cursor.is_behind(self._daemon, tip, chain_cursor.read_so_far(self._session)):
            return
        recent = ChainTransaction.block_height >= tip.height - self._watch_depth
        settled = select(ChainTransaction).where(
            ChainTransaction.status.in_(("confirmed", "replaced")), recent
        )
        rows = self._session.scalars(settled.order_by(ChainTransaction.id)).all()
        self._session.commit()
        self._check_final([row for row in rows if row.status == "confirmed"], tip)
        self._check_given_up([row for row in rows if row.status == "replaced"])
        self._last_tip = tip.hash

    def _check_final(self, rows: Sequence[ChainTransaction], tip: Tip) -> None:
        gone = self._daemon.blocks_off_the_chain({row.block_hash for row in rows if row.block_hash})
        undone = [row for row in rows if row.block_hash in gone]
        known = self._daemon.get_transactions({row.txid for row in undone})
        for row in undone:
            if row.txid not in known:
                # The daemon's wallet was exchanged, which says nothing about the chain.
                log.warning("final_transaction_unknown_to_daemon", txid=row.txid)
            elif known[row.txid]["confirmations"] > 0:
                self._move(row, known[row.txid], tip)
            else:
                self._reopen(row)

    def _move(self, row: ChainTransaction, known: dict[str, Any], tip: Tip) -> None:
        """It is in another block now, and as final as that one becomes."""
        with unit_of_work(self._session):
            confirmations = known["confirmations"]
            self._change(
                row,
                confirmations=confirmations,
                block_hash=known["blockhash"],
                block_height=tip.height - confirmations + 1,
            )

    def _reopen(self, row: ChainTransaction) -> None:
        with step(Step.TRANSACTION_REOPEN), unit_of_work(self._session):
            if not self._change(
                row,
                status="broadcast",
                reason=UNDONE,
                confirmations=0,
                block_hash=None,
                block_height=None,
                times_undone=row.times_undone + 1,
            ):
                return
            self._effects(row).unsettle(row)
            detail = (
                f"the {row.kind} transaction was final, and the chain has undone its block; it is sent again"
            )
            payout_halts.raise_alert(self._session, "transaction_undone", row.txid, detail)
        log.error("final_transaction_undone", kind=row.kind, txid=row.txid)

    def _check_given_up(self, rows: Sequence[ChainTransaction]) -> None:
        """`confirmations` says of such a row whether it was found in the chain, and booked.

        It may come back as a twin, which has paid the same people under an id of its own.
        """
        known = self._daemon.get_transactions({row.txid for row in rows})
        for row in rows:
            found = _in_block(known.get(row.txid)) or self._twin_of(row)
            if (found is not None) != (row.confirmations > 0):
                self._book_given_up(row, found)

    def _twin_of(self, row: ChainTransaction) -> _Found | None:
        twin = find_twin(self._daemon, row)
        return _Found(twin.transaction.txid, twin.confirmations, twin.block_hash) if twin else None

    def _book_given_up(self, row: ChainTransaction, found: _Found | None) -> None:
        is_back = found is not None
        moves = self._losses(row)
        with step(Step.TRANSACTION_REOPEN), unit_of_work(self._session):
            if found is not None and self._has_heir(row, found.txid):
                return
            if not self._change(
                row,
                confirmations=found.confirmations if found else 0,
                block_hash=found.block_hash if found else None,
                times_undone=row.times_undone + (not is_back),
            ):
                return
            event = f"came_back:{row.times_undone}" if is_back else f"gone_again:{row.times_undone}"
            moves = moves if is_back else [move.reversed() for move in moves]
            post(self._session, f"transaction:{row.id}:{event}", "transaction_came_back", moves)
            if found is not None:
                self._warn(row, found.txid)
        log.error("given_up_transaction", what=event, kind=row.kind, txid=row.txid)

    def _has_heir(self, row: ChainTransaction, txid: str) -> bool:
        """Whether the transaction that was made in its place has adopted it, and has it in the books there.

        One that is on its way with a coin of it adopts it with the next look, or is given up and no heir any more.
        """
        has_adopted = (ChainTransaction.txid == txid) & (ChainTransaction.status != "replaced")
        may_adopt = (
            (ChainTransaction.kind == "payouts")
            & ChainTransaction.status.in_(UNSETTLED)
            & ChainTransaction.id.in_(sharing_a_coin(row))
        )
        heir = select(ChainTransaction.id).where(ChainTransaction.id != row.id, has_adopted | may_adopt)
        return self._session.execute(heir.limit(1)).first() is not None

    def _losses(self, row: ChainTransaction) -> list[Move]:
        """What the network took with it: the fee had gone back to the fund, and the payouts were queued again."""
        moves = [Move(accounts.LOSSES, accounts.NETWORK_FEES, row.fee)]
        if row.kind == "sweep":
            moves.append(Move(accounts.COLD, accounts.CHAIN, row.amount))
        elif row.kind == "payouts":
            outputs = self._daemon.decode(row.signed_hex).outputs
            paid: Amount = sum((each.amount for each in outputs if each.vout != row.change_index), start=ZERO)
            moves.append(Move(accounts.LOSSES, accounts.CHAIN, paid))
        return moves

    def _warn(self, row: ChainTransaction, txid: str) -> None:
        """Its payees have its money; whoever was paid for the second time has it twice. What still waits may not go."""
        under = "" if txid == row.txid else f", as {txid}"
        detail = (
            f"transaction {row.txid} was given up ({row.reason}), and the chain has it after all{under}: "
            "compare what its payees got with what was sent to them since"
        )
        payout_halts.raise_alert(self._session, "transaction_came_back", row.txid, detail)
        if row.kind == "payouts":
            payout_halts.halt(self._session, HALT_CAUSE, detail)

    def _change(self, row: ChainTransaction, **values: Any) -> bool:
        """Change the row unless another follower was first."""
        is_changed = changes_one_row(
            self._session,
            update(ChainTransaction)
            .where(
                ChainTransaction.id == row.id,
                ChainTransaction.status == row.status,
                ChainTransaction.confirmations == row.confirmations,
                ChainTransaction.block_hash.is_not_distinct_from(row.block_hash),
            )
            .values(**values),
        )
        self._session.refresh(row)
        return is_changed


def _in_block(known: dict[str, Any] | None) -> _Found | None:
    if known is None or known["confirmations"] <= 0:
        return None
    return _Found(known["txid"], known["confirmations"], known.get("blockhash"))
