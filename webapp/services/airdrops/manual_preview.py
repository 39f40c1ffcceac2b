"""An airdrop by hand before it is given: every node that was named, what it gets and where, or why it cannot.

From the database alone. Whatever is wrong is collected, so that all of it can be put right at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.accounts import FUND
from webapp.domain.airdrops import Refusal
from webapp.domain.canonical import sha256_hex
from webapp.domain.exceptions import InvalidAmountError
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import MAX_BASE_UNITS, ZERO, Amount
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.models import Wallet
from webapp.services import daemon_figures, fund_rules
from webapp.services.airdrops.named_nodes import Listed, NamedNode, destination, find_named, listed_elsewhere
from webapp.services.payouts.preview import estimated_fee

NODES, EACH, TOTAL = "node_ids", "amount_per_node", "total_amount"
CLOSED = said("belongs to a closed account")
TOO_SMALL = said("would get too little to be sent, and has no wallet here that could keep it")
OWN = said("is your own: another operator must decide this")


@dataclass(frozen=True, slots=True)
class Row:
    """A node that was named. `notes` is what one should know before one pays it; it is paid unless it is refused."""

    node_id: str
    amount: Amount
    wallet_id: int | None = None
    pay_to: str = "balance"
    address: str | None = None
    notes: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be given now. `problems` holds, by field, every reason for which the whole is refused.

    `network_fee` is about what the payments on the chain cost; `fund_pays_fee`: it comes out of the fund as well,
    else out of what the nodes get. `rest` is what a total leaves that does not divide.
    """

    rows: tuple[Row, ...]
    rules: FundRules
    amount_per_node: Amount
    total: Amount
    rest: Amount
    balance: Amount
    network_fee: Amount
    fund_pays_fee: bool
    problems: dict[str, list[str]] = field(default_factory=dict)

    @property
    def taken(self) -> Amount:
        """What leaves the fund in all, about."""
        return self.total + self.network_fee if self.fund_pays_fee else self.total

    @property
    def balance_after(self) -> Amount:
        """What the fund holds then, about; nothing when it would not be enough."""
        return self.balance - self.taken if self.taken <= self.balance else ZERO

    @property
    def fields(self) -> dict[str, str]:
        """The problems as a ValidationError names them."""
        return {name: "; ".join(messages) for name, messages in self.problems.items()}

    @property
    def other_problems(self) -> list[str]:
        """What is wrong besides single nodes."""
        of_nodes = {f"{row.node_id} {refusal}" for row in self.rows for refusal in row.refusals}
        return [reason for found in self.problems.values() for reason in found if reason not in of_nodes]

    @property
    def is_only_their_own(self) -> bool:
        """Whether nothing is wrong but that nodes belong to who asks."""
        reasons = [reason for found in self.problems.values() for reason in found]
        return bool(reasons) and all(reason.endswith(OWN) for reason in reasons)

    @property
    def mark(self) -> str:
        """The same for the same payments to the same places, and for nothing else."""
        return sha256_hex(
            [[row.node_id, str(row.amount), row.wallet_id, row.pay_to, row.address] for row in self.rows]
        )


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, as far as it counts: the wallets that are their own, and what an outside registry told them."""

    own_wallets: frozenset[int]
    listed: Listed


def look(
    session: Session,
    settings: Settings,
    asker: Asker,
    node_ids: Sequence[str],
    amount_per_node: object = None,
    total_amount: object = None,
) -> Preview:
    """What would be given to these nodes: so much to each, or a total in equal parts. Amounts may be of any kind that
    can be read as one.
    """
    problems: dict[str, list[str]] = {}
    rules = fund_rules.in_force(session, settings)
    each, rest = _amounts(amount_per_node, total_amount, len(set(node_ids)), problems)
    times = Counter(node_ids)
    known = find_named(session, settings, times.keys(), asker.listed)
    rows = tuple(
        _row(node_id, known.get(node_id), each, settings, asker, times[node_id] > 1) for node_id in times
    )
    total = Amount(min(each.base_units * len(rows), MAX_BASE_UNITS))
    preview = Preview(
        rows=rows,
        rules=rules,
        amount_per_node=each,
        total=total,
        rest=rest,
        balance=Amount(max(pooled.balance(session, FUND), 0)),
        network_fee=_network_fee(session, settings, rows),
        fund_pays_fee=settings.wallet.fee_paid_by == "fund",
        problems=problems,
    )
    _judge_nodes(preview, len(node_ids))
    _judge_amounts(preview, EACH if total_amount is None else TOTAL)
    return preview


def _amounts(
    amount_per_node: object, total_amount: object, count: int, problems: dict[str, list[str]]
) -> tuple[Amount, Amount]:
    """(what each gets, what of a total does not divide); nothing, with the problem, when it cannot be told."""
    if (amount_per_node is None) == (total_amount is None):
        for name in (EACH, TOTAL):
            problems[name] = [
                said("either {each} or {total} is needed, and not both", each=EACH, total=TOTAL)
            ]
        return ZERO, ZERO
    name, value = (EACH, amount_per_node) if total_amount is None else (TOTAL, total_amount)
    try:
        amount = Amount.parse(value, field=name)
    except InvalidAmountError as error:
        problems[name] = [error.fields[name]]
        return ZERO, ZERO
    if name == EACH:
        return amount, ZERO
    each, rest = divmod(amount.base_units, max(count, 1))
    return Amount(each), Amount(rest)


def _row(
    node_id: str, node: NamedNode | None, each: Amount, settings: Settings, asker: Asker, is_repeated: bool
) -> Row:
    refusals = [Refusal.DUPLICATE.words] if is_repeated else []
    if node is None:
        return Row(node_id, each, refusals=(Refusal.UNKNOWN.words, *refusals))
    goes = destination(node, each, settings)
    reasons = {
        Refusal.SUSPENDED.words: node.is_suspended,
        CLOSED: not node.is_owner_active,
        OWN: node.wallet_id in asker.own_wallets,
        Refusal.NO_ADDRESS.words: goes.pay_to == "chain" and goes.address is None,
        TOO_SMALL: node.wallet_id is None and each < settings.wallet.min_payout,
    }
    # What the automatic airdrop would refuse, and an operator may decide otherwise.
    notes = {
        Refusal.UNVERIFIED.words: not node.is_verified,
        Refusal.OFFLINE.words: node.is_offline,
        goes.note: bool(goes.note),
    }
    refusals += [words for words, holds in reasons.items() if holds]
    told = tuple(words for words, holds in notes.items() if holds)
    return Row(node_id, each, node.wallet_id, goes.pay_to, goes.address, told, tuple(refusals))


def _network_fee(session: Session, settings: Settings, rows: Sequence[Row]) -> Amount:
    amounts = [row.amount for row in rows if row.pay_to == "chain" and not row.refusals]
    if not amounts:
        return ZERO
    figures = daemon_figures.look(session)
    rate = figures.fee_rate if figures else settings.wallet.fee_rate_per_kb
    together = Amount(min(sum(amount.base_units for amount in amounts), MAX_BASE_UNITS))
    return estimated_fee(settings, figures, rate, together, len(amounts))


def _judge_nodes(preview: Preview, named: int) -> None:
    found = [f"{row.node_id} {refusal}" for row in preview.rows for refusal in row.refusals]
    if not preview.rows:
        found.append(said("at least one is needed"))
    if named > preview.rules.max_airdrop_nodes:
        most = preview.rules.max_airdrop_nodes
        found.append(
            said("{named} are named, and at most {most} can be in one airdrop", named=named, most=most)
        )
    if found:
        preview.problems[NODES] = found


def _judge_amounts(preview: Preview, name: str) -> None:
    if not preview.rows or name in preview.problems:
        return
    found: list[str] = []
    least = preview.rules.min_airdrop_amount
    if preview.amount_per_node < least:
        found.append(
            said(
                "each would get {amount_per_node} FLOP, and at least {least} FLOP is given",
                amount_per_node=preview.amount_per_node,
                least=least,
            )
        )
    if preview.taken + preview.rest > preview.balance:
        asked = preview.total + preview.rest
        words = said("{asked} FLOP is asked for, and the fund has {balance} FLOP")
        if preview.fund_pays_fee:
            words = said(
                "{asked} FLOP is asked for and about {fee} FLOP for the network, and the fund has {balance} FLOP"
            )
        found.append(said(words.template, asked=asked, fee=preview.network_fee, balance=preview.balance))
    if found:
        preview.problems[name] = found


def asker_of(session: Session, settings: Settings, wallet_ids: Collection[int]) -> Asker:
    """Whoever has these wallets. A key acts for one of them, and its owner may have nodes on another.

    Asks the outside registry, if there is one. Raises DirectoryUnreachableError.
    """
    listed = listed_elsewhere(session, settings)
    owners = select(Wallet.user_id).where(Wallet.id.in_(wallet_ids))
    return Asker(frozenset(session.scalars(select(Wallet.id).where(Wallet.user_id.in_(owners)))), listed)
