"""The money statements of an escrow's usual life: one for each move, made of the same steps.

    request    the nonce is used up, and the answer stored under the idempotency key, if there is one: either refuses
               the statement when it is there already
    escrow     it is made, or goes from the state that was seen to the next one
    money      the wallets, the journal entry, its postings (`ledger.steps`)
    told       the event on the audit trail

An escrow's row is taken before any wallet's, as everywhere. What a step needs to hold stands in its own condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, bindparam, exists, literal_column, select, update

from webapp.domain.escrow_states import Action
from webapp.ledger.steps import movement
from webapp.models import (
    CatalogueService,
    Escrow,
    EscrowTransaction,
    IdempotencyKey,
    RequestNonce,
    SigningKey,
    Wallet,
)
from webapp.models.one_statement import Before, OneStatement, Step
from webapp.services.express.rows import NEW
from webapp.services.signing_keys import spending

_ESCROWS: Any = Escrow.__table__
# What must be as it was seen. Whatever changes an escrow changes one of these, or tells so on its trail.
_SEEN = ("status", "updated_at")
# What each move changes besides the state.
CHANGED = {
    Action.DELIVER: ("result_hash", "provider_signature", "worked_by_node_id", "delivered_at", "accept_by"),
    Action.RELEASE: ("result_hash", "provider_signature", "worked_by_node_id", "released_at"),
    Action.REFUND: ("refund_reason", "refunded_at"),
}
# How many wallets each changes, and by how many moves of money.
_MONEY = {Action.RELEASE: (2, 2), Action.REFUND: (1, 1)}


@cache
def creation(*, is_keyed: bool, is_limited: bool) -> OneStatement:
    """A new escrow with its amount locked, for a provider who offers no service of this name in the catalogue.

    One that `is_limited` counts against the spend limit of the key that makes it.
    """
    limit = (Step("spent", _spend),) if is_limited else ()
    made = (Step("escrow", _create), *limit, *movement(1, 1))
    return OneStatement(*_request(is_keyed), *made, Step("told", _tell))


@cache
def move(action: Action, *, is_keyed: bool) -> OneStatement:
    """Delivery, release or refund of an escrow that is still as it was seen."""
    limits = (_stays_here(),) if action is Action.RELEASE else ()
    money = movement(*_MONEY[action], *limits) if action in _MONEY else ()
    change = Step("escrow", lambda before: _change(before, action))
    return OneStatement(*_request(is_keyed), change, *money, Step("told", _tell))


@cache
def nonce_alone() -> OneStatement:
    """The nonce of a request whose change is not made here."""
    return OneStatement(*_request(is_keyed=False))


def named(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns' values as parameters: those of a table begin with `nonce_`, `answer_`, `escrow_` or `told_`."""
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _request(is_keyed: bool) -> tuple[Step, ...]:
    nonce, answer = Step("nonce", _use_nonce), Step("answer", _store_answer)
    return (nonce, answer) if is_keyed else (nonce,)


def _use_nonce(before: Before) -> Any:
    return _insert(before, RequestNonce.__table__, "nonce", ("key_id", "nonce", "expires_at"))


def _store_answer(before: Before) -> Any:
    names = ("principal", "key", "request_hash", "response_status", "response_location", "response_body")
    return _insert(before, IdempotencyKey.__table__, "answer", (*names, "created_at"))


def _create(before: Before) -> Any:
    is_ordered = exists(select(literal_column("1"))).where(
        CatalogueService.provider_wallet_id == _parameter("escrow", _ESCROWS.c.provider_wallet_id),
        CatalogueService.name == _parameter("escrow", _ESCROWS.c.service_name),
        CatalogueService.is_active,
    )
    return _insert(before, _ESCROWS, "escrow", NEW, ~is_ordered)


def _spend(before: Before) -> Any:
    first = bindparam("spending_key", type_=SigningKey.__table__.c.id.type)
    return spending(first, bindparam("spending_units", type_=BigInteger)).where(before.is_done)


def _change(before: Before, action: Action) -> Any:
    columns = _ESCROWS.c
    names = ("status", "updated_at", *CHANGED[action])
    as_seen = (columns[name] == bindparam(f"seen_{name}", type_=columns[name].type) for name in _SEEN)
    is_it = columns.id == _parameter("escrow", columns.id)
    values = {name: _parameter("escrow", columns[name]) for name in names}
    return update(_ESCROWS).where(is_it, *as_seen, before.is_done).values(values)


def _stays_here() -> Any:
    """What leaves for the chain at once is for the ordinary way, even if it was asked for only now."""
    provider = bindparam("provider_wallet", type_=Wallet.__table__.c.id.type)
    return Wallet.payout_address.is_(None) | (Wallet.id != provider)


def _tell(before: Before) -> Any:
    names = (
        "escrow_id",
        "sequence",
        "kind",
        "actor",
        "amount",
        "detail",
        "created_at",
        "previous_hash",
        "hash",
    )
    return _insert(before, EscrowTransaction.__table__, "told", names)


def _insert(before: Before, table: Any, prefix: str, names: Sequence[str], *conditions: Any) -> Any:
    row = select(*(_parameter(prefix, table.c[name]) for name in names))
    return before.insert(table).from_select(
        names, row.where(before.is_done, *conditions), include_defaults=False
    )


def _parameter(prefix: str, column: Any) -> Any:
    return bindparam(f"{prefix}_{column.name}", type_=column.type)
