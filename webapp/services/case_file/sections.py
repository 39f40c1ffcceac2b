"""What stands in `case.json`, section by section: each a function of the escrow and the reader. New ones go into
SECTIONS. A section that is None is left out.

Amounts are text with eight decimals, times RFC 3339. What is nobody's but one side's own affair is shown to that side
and to operators only: addresses, and by which transactions coins came in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.clock import to_rfc3339
from webapp.domain.evidence.names import ending_of
from webapp.domain.money import Amount
from webapp.models import Escrow, EvidenceItem, JournalEntry, Posting, SettlementOffer
from webapp.services import audit_trail
from webapp.services.case_file.dispute import dispute_section
from webapp.services.case_file.plan import plan_section
from webapp.services.case_file.reader import CaseReader
from webapp.services.case_file.terms import terms_section
from webapp.services.evidence.book import of_escrow
from webapp.services.evidence.documents import item_document
from webapp.services.wallet_queries import list_payouts_of_escrow

Section = Callable[[Session, Escrow, CaseReader], Any]


def escrow_section(session: Session, escrow: Escrow, reader: CaseReader) -> dict[str, Any]:
    """The escrow with its terms."""
    by_deposit = escrow.funding == "deposit"
    is_payers = escrow.payer_wallet_id in reader.sees_coins_of
    return {
        "id": str(escrow.id),
        "status": escrow.status,
        "amount": str(escrow.amount),
        "provider_amount": str(escrow.provider_amount),
        "community_amount": str(escrow.community_amount),
        "fund_basis_points": escrow.fund_basis_points,
        "resolved_provider_amount": _amount(escrow.resolved_provider_amount),
        "resolved_community_amount": _amount(escrow.resolved_community_amount),
        "payer_wallet_id": escrow.payer_wallet_id,
        "provider_wallet_id": escrow.provider_wallet_id,
        "service_name": escrow.service_name,
        "task_id": escrow.task_id,
        "metadata": escrow.task_metadata,
        "service_terms": escrow.service_terms,
        "provider_node_id": escrow.provider_node_id,
        "verifier_key_id": escrow.verifier_key_id,
        "expected_result_hash": escrow.expected_result_hash,
        "result_hash": escrow.result_hash,
        "provider_signature": escrow.provider_signature,
        "refund_reason": escrow.refund_reason,
        "funding": escrow.funding,
        "deposited_amount": str(escrow.deposited_amount) if by_deposit else None,
        **{
            name: to_rfc3339(getattr(escrow, name))
            for name in (
                "fund_by", "expires_at", "accept_by", "created_at", "delivered_at", "released_at", "refunded_at"
            )
        },
        **(
            {"deposit_address": escrow.deposit_address, "refund_address": escrow.refund_address}
            if is_payers and by_deposit
            else {}
        ),
    }  # fmt: skip


def trail_section(session: Session, escrow: Escrow, reader: CaseReader) -> list[dict[str, Any]]:
    """The audit trail with its hashes, as both sides may read it anyway."""
    return [
        {
            "escrow_id": str(event.escrow_id),
            "sequence": event.sequence,
            "kind": event.kind,
            "actor": event.actor,
            "amount": _amount(event.amount),
            "detail": event.detail,
            "created_at": to_rfc3339(event.created_at),
            "previous_hash": event.previous_hash,
            "hash": event.hash,
        }
        for event in audit_trail.entries(session, escrow.id)
    ]


def ledger_section(session: Session, escrow: Escrow, reader: CaseReader) -> list[dict[str, Any]]:
    """The entries that moved its money, with their postings. The keys of deposits name transactions of the payer's."""
    rows = session.execute(
        select(JournalEntry, Posting)
        .join(Posting, Posting.journal_entry_id == JournalEntry.id)
        .where(JournalEntry.escrow_id == escrow.id)
        .order_by(JournalEntry.id, Posting.id)
    )
    entries: dict[int, dict[str, Any]] = {}
    for entry, posting in rows:
        is_shown = entry.key.startswith("escrow:") or escrow.payer_wallet_id in reader.sees_coins_of
        told: dict[str, Any] = {
            "key": entry.key if is_shown else f"{entry.kind}:{entry.id}",
            "kind": entry.kind,
            "created_at": to_rfc3339(entry.created_at),
            "postings": [],
        }
        entries.setdefault(entry.id, told)["postings"].append(
            {
                "source": posting.source,
                "destination": posting.destination,
                "amount": str(posting.amount),
            }
        )
    return list(entries.values())


def payouts_section(session: Session, escrow: Escrow, reader: CaseReader) -> list[dict[str, Any]]:
    """What left for the chain. Where to is its payee's own affair; the trail names the transactions to both."""
    wallets = (escrow.payer_wallet_id, escrow.provider_wallet_id)
    return [
        {
            "id": str(payout.id),
            "wallet_id": payout.wallet_id,
            "status": payout.status,
            "gross": str(payout.gross),
            "fee": _amount(payout.fee),
            "net": _amount(payout.net),
            "txid": payout.transaction.txid if payout.transaction else None,
            "created_at": to_rfc3339(payout.created_at),
            **(
                {"address": payout.address, "output_index": payout.output_index}
                if payout.wallet_id in reader.sees_coins_of
                else {}
            ),
        }
        for payout in list_payouts_of_escrow(session, escrow.id, wallets)
    ]


def offers_section(session: Session, escrow: Escrow, reader: CaseReader) -> list[dict[str, Any]]:
    """What the sides have offered each other."""
    offers = session.scalars(
        select(SettlementOffer).where(SettlementOffer.escrow_id == escrow.id).order_by(SettlementOffer.id)
    )
    return [
        {
            "id": offer.id,
            "side": offer.side,
            "share": str(offer.share),
            "message": offer.message,
            "answers_id": offer.answers_id,
            "status": offer.status,
            "created_at": to_rfc3339(offer.created_at),
            "expires_at": to_rfc3339(offer.expires_at),
            "ended_at": to_rfc3339(offer.ended_at),
        }
        for offer in offers
    ]


def evidence_section(session: Session, escrow: Escrow, reader: CaseReader) -> list[dict[str, Any]] | None:
    """What both sides have shown, and under which name each file lies in the case file."""
    if not reader.sees_dispute:
        return None
    return [
        {**item_document(item), "path": path_of(item), "omitted": None}
        for item in of_escrow(session, escrow.id)
    ]


def path_of(item: EvidenceItem) -> str | None:
    """The name of an item's file in the case file. What its sender called it stands in the list."""
    return None if item.media_type is None else f"evidence/{item.number:04d}{ending_of(item.media_type)}"


SECTIONS: dict[str, Section] = {
    "escrow": escrow_section,
    "terms": terms_section,
    "plan": plan_section,
    "audit_trail": trail_section,
    "ledger": ledger_section,
    "payouts": payouts_section,
    "offers": offers_section,
    "dispute": dispute_section,
    "evidence": evidence_section,
}


def _amount(amount: Amount | None) -> str | None:
    return None if amount is None else str(amount)
