"""Rows as the documents that the JSON endpoints give."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from flask import request, url_for

from webapp.blueprints.api.schemas import (
    EscrowDeposit,
    EscrowDocument,
    EscrowEvent,
    PayoutDocument,
    WalletDocument,
)
from webapp.blueprints.api.terms_documents import TermsDocument, bare_terms, terms_document
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.escrow_facts import parties_of
from webapp.domain.escrow_states import Action, Party, Terms, allowed_actions
from webapp.domain.money import Amount
from webapp.domain.roles import Actor, Scope
from webapp.domain.terms.conditions import Turn
from webapp.models import Deposit, Escrow, EscrowTransaction, Payout
from webapp.services.deposits.depth import confirmations_needed
from webapp.services.downtime import fair_terms
from webapp.services.escrow_manager import EscrowManager
from webapp.services.escrow_payments import UNJUDGED, Payments, payments_of, request_of
from webapp.services.express.rows import AnyEscrow
from webapp.services.funding_terms import BALANCE
from webapp.services.terms.outlook import outlook
from webapp.services.terms.records import terms_of_all
from webapp.services.wallet_queries import WalletOverview
from webapp.web.current import db_session, services

# The path of an escrow's view: by the view's name and the escrow's id.
Address = Callable[[str, str], str]
_PLACE = "00000000-0000-0000-0000-000000000000"
# What is told of the payment of one that was paid for out of the balance.
FROM_BALANCE: dict[str, Any] = {
    "funding": BALANCE,
    **dict.fromkeys(
        ("fund_by", "deposited_amount", "deposit_address", "payment_uri", "refund_address", "deposits")
    ),
}
# The view of an action, and the scope that a key needs for it.
_ACTIONS = {
    Action.DELIVER: ("api_escrows.deliver", Scope.ESCROW_DELIVER),
    Action.RELEASE: ("api_escrows.release", Scope.ESCROW_RELEASE),
    Action.REFUND: ("api_escrows.refund", Scope.ESCROW_REFUND),
    Action.DISPUTE: ("api_disputes.open_dispute", Scope.ESCROW_DISPUTE),
}


def escrow_document(escrow: Escrow, manager: EscrowManager, actor: Actor) -> EscrowDocument:
    """One escrow as this actor sees it, with what holds of its own terms, if it has any."""
    (document,) = escrow_documents([escrow], manager, actor)
    if escrow.has_own_terms:
        document.terms = terms_document(outlook(db_session(), services().settings, escrow))
        waits_for = {each.waits_for for each in document.terms.conditions or ()}
        for name, scope in _asked_for(waits_for, manager.parties(escrow)):
            if actor.scopes is None or scope in actor.scopes:
                document.links[name] = url_for(f"api_escrow_terms.{name}", id=escrow.id)
    return document


def _asked_for(waits_for: Collection[Turn | None], parties: frozenset[Party]) -> Iterator[tuple[str, Scope]]:
    """What the terms ask of somebody with these capacities: the view, and the scope that a key needs for it."""
    approves = {Turn.PAYER: Party.PAYER, Turn.VERIFIER: Party.VERIFIER}
    if any(turn in waits_for and party in parties for turn, party in approves.items()):
        yield "approve", Scope.ESCROW_RELEASE
    if Turn.ANYBODY in waits_for:
        yield "reveal", Scope.ESCROW_DELIVER


def escrow_documents(escrows: Sequence[Escrow], manager: EscrowManager, actor: Actor) -> list[EscrowDocument]:
    """Escrows as this actor sees them."""
    terms = terms_of_all(db_session(), escrows)
    payments = payments_of(db_session(), escrows)
    deposits = [deposit for each in payments.values() for deposit in each.deposits]
    needed = confirmations_needed(db_session(), services().settings.wallet, deposits) if deposits else {}
    documents = []
    for escrow in escrows:
        fair = fair_terms(db_session(), services().settings, escrow)
        is_payer = escrow.payer_wallet_id in actor.wallet_ids
        funding = _funding(escrow, fair, payments.get(escrow.id), is_payer, needed)
        documents.append(_escrow_document(escrow, fair, actor, funding, bare_terms(escrow, terms)))
    return documents


def _escrow_document(
    escrow: Escrow,
    terms: Terms,
    actor: Actor,
    funding: Mapping[str, Any],
    own_terms: TermsDocument | None,
) -> EscrowDocument:
    return EscrowDocument(
        id=str(escrow.id),
        status=escrow.terms.status,
        amount=str(escrow.amount),
        provider_amount=str(escrow.provider_amount),
        community_amount=str(escrow.community_amount),
        resolved_provider_amount=_amount(escrow.resolved_provider_amount),
        resolved_community_amount=_amount(escrow.resolved_community_amount),
        refunded_amount=_amount(escrow.refunded_amount),
        plan_id=str(escrow.plan_id) if escrow.plan_id else None,
        part_number=escrow.part_number,
        part_title=escrow.part_title,
        payer_wallet_id=escrow.payer_wallet_id,
        provider_wallet_id=escrow.provider_wallet_id,
        service_name=escrow.service_name,
        task_id=escrow.task_id,
        metadata=escrow.task_metadata,
        provider_node_id=escrow.provider_node_id,
        verifier_key_id=escrow.verifier_key_id,
        expected_result_hash=escrow.expected_result_hash,
        result_hash=escrow.result_hash,
        **funding,
        terms=own_terms,
        accept_by=to_rfc3339(escrow.accept_by),
        expires_at=_moment(escrow.expires_at),
        created_at=_moment(escrow.created_at),
        updated_at=_moment(escrow.updated_at),
        released_at=to_rfc3339(escrow.released_at),
        refunded_at=to_rfc3339(escrow.refunded_at),
        links=links_of(escrow, terms, actor),
    )


def _funding(
    escrow: Escrow, terms: Terms, payments: Payments | None, is_payer: bool, needed: Mapping[int, int]
) -> dict[str, Any]:
    """How it is paid for. Where it is paid to and paid back is the payer's own affair."""
    shown = FROM_BALANCE | {
        "funding": escrow.funding,
        "fund_by": to_rfc3339(escrow.fund_by),
        "deposited_amount": str(escrow.deposited_amount) if payments else None,
    }
    if payments is None or not is_payer:
        return shown
    asked = request_of(escrow, terms, payments, services().settings.wallet.dust_limit, utcnow())
    return shown | {
        "deposit_address": escrow.deposit_address,
        "payment_uri": asked.uri if asked else None,
        "refund_address": escrow.refund_address,
        "deposits": [_deposit(each, needed[each.id]) for each in payments.deposits],
    }


def _deposit(deposit: Deposit, needed: int) -> EscrowDeposit:
    return EscrowDeposit.model_validate(
        {
            "txid": deposit.txid,
            "output_index": deposit.vout,
            "amount": str(deposit.amount),
            "held": str(deposit.held_amount),
            "status": deposit.status,
            "disposition": None if deposit.disposition == UNJUDGED else deposit.disposition,
            "confirmations": deposit.confirmations,
            "confirmations_needed": needed,
            "first_seen_at": _moment(deposit.first_seen_at),
        }
    )


def address_of(view: str, escrow_id: str) -> str:
    """The path of an escrow's view, in the present request."""
    return _pattern(view, request.script_root).replace(_PLACE, escrow_id)


@cache
def _pattern(view: str, script_root: str) -> str:
    """Worked out once for where the site is mounted: a document has several, and a list many documents."""
    return url_for(view, id=_PLACE)


def links_of(escrow: AnyEscrow, terms: Terms, actor: Actor, address: Address = address_of) -> dict[str, str]:
    """The addresses of what the actor may do to the escrow now, by what it is."""
    allowed = allowed_actions(terms, parties_of(escrow, actor), utcnow())
    if terms.decide_themselves:
        allowed -= {Action.RELEASE}  # an approval, where they ask for it
    escrow_id = str(escrow.id)
    links = {
        "self": address("api_escrows.show", escrow_id),
        "transactions": address("api_escrows.list_transactions", escrow_id),
    }
    for action, (view, scope) in _ACTIONS.items():
        if action in allowed and (actor.scopes is None or scope in actor.scopes):
            links[action.value] = address(view, escrow_id)
    return links


def event_document(event: EscrowTransaction) -> EscrowEvent:
    """One event of an audit trail."""
    return EscrowEvent(
        sequence=event.sequence,
        kind=event.kind,
        actor=event.actor,
        amount=_amount(event.amount),
        detail=event.detail,
        created_at=_moment(event.created_at),
        previous_hash=event.previous_hash,
        hash=event.hash,
    )


def wallet_document(overview: WalletOverview, deposit_address: str | None) -> WalletDocument:
    """A wallet's figures with the address for deposits."""
    return WalletDocument(
        wallet_id=overview.wallet_id,
        available=str(overview.available),
        held=str(overview.held),
        incoming=str(overview.incoming),
        outgoing=str(overview.outgoing),
        deposit_address=deposit_address,
    )


def payout_document(payout: Payout) -> PayoutDocument:
    """A payout with what the chain knows of it."""
    transaction = payout.transaction
    return PayoutDocument(
        id=str(payout.id),
        status=payout.status,
        gross=str(payout.gross),
        fee=_amount(payout.fee),
        net=_amount(payout.net),
        address=payout.address,
        txid=transaction.txid if transaction else None,
        output_index=payout.output_index,
        confirmations=max(transaction.confirmations, 0) if transaction else 0,
    )


def _amount(amount: Amount | None) -> str | None:
    return None if amount is None else str(amount)


def _moment(value: Any) -> str:
    return to_rfc3339(value) or ""
