"""The audit trail in a case file, and what it must tell of the escrow as it stands."""

from __future__ import annotations

from typing import Any

from webapp.domain.audit_chain import GENESIS, event_hash
from webapp.domain.escrow_states import TERMINAL, Status
from webapp.domain.solvency.reading import RefusedError, fields, items

_EVENT = (
    "escrow_id", "sequence", "kind", "actor", "amount", "detail", "created_at", "previous_hash", "hash",
)  # fmt: skip
# What stands on the trail of every escrow in this state; one that is active may have been created so.
_TOLD_BY = {
    Status.PENDING: ("created",),
    Status.ACTIVE: ("created", "funded"),
    Status.DELIVERED: ("delivered",),
    Status.DISPUTED: ("disputed",),
    Status.RELEASED: ("released",),
    Status.REFUNDED: ("refunded",),
    Status.RESOLVED: ("resolved",),
}


def check_trail(listed: object, escrow: dict[str, Any]) -> list[dict[str, Any]]:
    """The events, once their chain is right and they tell of this escrow. Raises RefusedError."""
    previous, events = GENESIS, []
    for number, item in enumerate(items(listed, "the audit trail"), 1):
        event = dict(zip(_EVENT, fields(item, f"event {number} of the audit trail", *_EVENT), strict=True))
        if event["escrow_id"] != escrow["id"]:
            raise RefusedError(f"event {number} of the audit trail is of another escrow")
        if event["sequence"] != number or event["previous_hash"] != previous:
            raise RefusedError(f"the audit trail is broken at event {number}: one was taken out or put in")
        if event_hash(event) != event["hash"]:
            raise RefusedError(f"event {number} of the audit trail was changed")
        previous = event["hash"]
        events.append(event)
    _check_story(events, escrow)
    return events


def _check_story(events: list[dict[str, Any]], escrow: dict[str, Any]) -> None:
    if not events or events[0]["kind"] != "created":
        raise RefusedError("the audit trail does not begin with the creation of the escrow")
    first = events[0]
    stated = {"amount": first["amount"], **first["detail"]}
    for name in ("amount", "payer_wallet_id", "provider_wallet_id", "provider_amount", "community_amount"):
        if stated.get(name) != escrow.get(name):
            raise RefusedError(f"the escrow's {name} is not the one that it was created with")
    kinds = {event["kind"] for event in events}
    if not kinds.intersection(_TOLD_BY[escrow["status"]]):
        raise RefusedError(f"the escrow is {escrow['status'].value}, and the audit trail does not tell it")
    ends = kinds & {status.value for status in TERMINAL}
    if ends - {escrow["status"].value}:
        raise RefusedError("the audit trail tells another end of the escrow")
