"""The ledger entries in a case file: what they moved, and that it is what the escrow says.

What an escrow holds lies in its payer's account `held`. Everything that went in must have come out again to the right
accounts, or still be there.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from webapp.domain import accounts
from webapp.domain.escrow_states import HOLDING, Status
from webapp.domain.solvency.reading import RefusedError, base_units, fields, flop, items, text

# Who opens a dispute may have to leave a bond: it lies in the opener's `held`, and is no part of the amount.
_BOND = frozenset({"dispute_bond", "dispute_bond_return", "dispute_bond_loss"})


@dataclass(frozen=True, slots=True)
class Sums:
    """In base units: what is held now, and what left it for the three that can get something."""

    held: int
    provider: int
    fund: int
    payer: int


def check_ledger(listed: object, escrow: dict[str, Any]) -> Sums:
    """Add up the postings and compare them with the escrow. Raises RefusedError."""
    held = accounts.held(escrow["payer_wallet_id"])
    came, bond, went = 0, 0, defaultdict[str, int](int)
    keys: set[str] = set()
    for number, item in enumerate(items(listed, "the ledger"), 1):
        key, kind, _at, postings = fields(
            item, f"entry {number} of the ledger", "key", "kind", "created_at", "postings"
        )
        if text(key, "key") in keys:
            raise RefusedError(f"the ledger entry {key} stands twice")
        keys.add(key)
        moved = [_posting(posting, key) for posting in items(postings, "postings")]
        if not moved:
            raise RefusedError(f"the ledger entry {key} moves nothing")
        if kind in _BOND:
            bond += sum(amount for *_, amount in moved) * _check_bond(kind, moved, escrow)
            continue
        for source, destination, amount in moved:
            came += amount if destination == held else 0
            if source == held:
                went[destination] += amount
    if bond < 0:
        raise RefusedError("more was given back of a bond than was held")
    sums = Sums(
        came - sum(went.values()),
        went[accounts.available(escrow["provider_wallet_id"])],
        went[accounts.FUND],
        went[accounts.available(escrow["payer_wallet_id"])],
    )
    _compare(sums, escrow)
    return sums


def _check_bond(kind: str, moved: list[tuple[str, str, int]], escrow: dict[str, Any]) -> int:
    """1 for a bond that is held, -1 for one that is given back or lost. It is its opener's, and nobody else's."""
    wallets = (escrow["payer_wallet_id"], escrow["provider_wallet_id"])
    ends = {
        "dispute_bond": [(accounts.available(each), accounts.held(each)) for each in wallets],
        "dispute_bond_return": [(accounts.held(each), accounts.available(each)) for each in wallets],
        "dispute_bond_loss": [(accounts.held(each), accounts.FUND) for each in wallets],
    }[kind]
    if any((source, destination) not in ends for source, destination, _ in moved):
        raise RefusedError("a bond moved between accounts that have nothing to do with it")
    return 1 if kind == "dispute_bond" else -1


def _posting(posting: object, key: str) -> tuple[str, str, int]:
    source, destination, amount = fields(posting, f"a posting of {key}", "source", "destination", "amount")
    units = base_units(amount, "amount")
    if text(source, "source") == text(destination, "destination") or not units:
        raise RefusedError(f"a posting of {key} moves nothing: it does not balance")
    return source, destination, units


def _compare(sums: Sums, escrow: dict[str, Any]) -> None:
    status: Status = escrow["status"]
    parts = {
        name: base_units(escrow[name], name) for name in ("amount", "provider_amount", "community_amount")
    }
    if parts["provider_amount"] + parts["community_amount"] != parts["amount"]:
        raise RefusedError("the escrow's two parts do not add to its amount")
    lived_on = (
        base_units(escrow["deposited_amount"], "deposited_amount")
        if escrow["deposited_amount"] is not None
        else parts["amount"]
    )
    if status is Status.PENDING or status in HOLDING:
        expected = Sums(lived_on if status is Status.PENDING else parts["amount"], 0, 0, 0)
    elif status is Status.RELEASED:
        expected = Sums(0, parts["provider_amount"], parts["community_amount"], 0)
    elif status is Status.REFUNDED:
        expected = Sums(0, 0, 0, lived_on)
    else:
        provider = base_units(escrow["resolved_provider_amount"], "resolved_provider_amount")
        fund = base_units(escrow["resolved_community_amount"], "resolved_community_amount")
        expected = Sums(0, provider, fund, parts["amount"] - provider - fund)
    for name, what in (
        ("held", "held"),
        ("provider", "paid to the provider"),
        ("fund", "paid to the community fund"),
        ("payer", "given back to the payer"),
    ):
        if getattr(sums, name) != getattr(expected, name):
            raise RefusedError(
                f"the escrow is {status.value}, so {flop(max(getattr(expected, name), 0))} FLOP must be {what}; "
                f"the ledger says {_signed(getattr(sums, name))} FLOP"
            )


def _signed(units: int) -> str:
    return f"-{flop(-units)}" if units < 0 else flop(units)
