"""The terms of a new escrow: read, proved to end, and held against what there is. Every complaint names its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said
from webapp.domain.terms.language import AgreeingResults, AttestedBy, Terms, VerifierApproves
from webapp.domain.terms.proof import Proof, prove
from webapp.domain.terms.reading import FIELD, read_terms
from webapp.models import Node, SigningKey, Wallet
from webapp.services.terms.records import known_height


@dataclass(frozen=True, slots=True)
class ProvenTerms:
    """Terms that end, and the proof of it."""

    terms: Terms
    proof: Proof


def read_and_prove(
    session: Session, settings: Settings, document: object, created_at: datetime
) -> ProvenTerms:
    """The terms of an escrow that is created at this moment. Raises ValidationError naming `terms...`.

    From beginning to end they take no longer than `escrow.max_deadline_hours`.
    """
    terms = read_terms(document, created_at, known_height(session))
    proof = prove(terms)
    most = settings.escrow.max_deadline_hours
    if proof.latest_end > created_at + timedelta(hours=most):
        raise ValidationError.of(
            FIELD, said("must end within {most} hours, whatever anybody does", most=most)
        )
    return ProvenTerms(terms, proof)


def complaints_about_names(
    session: Session, terms: Terms, provider_wallet_id: int, verifier_key_id: str | None, now: datetime
) -> dict[str, str]:
    """What the terms name and there is not, or is not to be trusted with it: place to reason."""
    found = dict[str, str]()
    for leaf in terms.leaves:
        if isinstance(leaf, VerifierApproves) and not verifier_key_id:
            found["verifier_key_id"] = said("is needed: the terms ask for the verifier’s approval")
        elif isinstance(leaf, AttestedBy):
            found |= _about_key(session, leaf.key_id, provider_wallet_id, now)
        elif isinstance(leaf, AgreeingResults):
            found |= _about_nodes(session, leaf.of)
    return found


def _about_key(session: Session, key_id: str, provider_wallet_id: int, now: datetime) -> dict[str, str]:
    key = session.get(SigningKey, key_id, populate_existing=True)
    if key is None or not key.is_usable(now):
        return {f"{FIELD}.attested_by": said("{key} is not a key that works", key=key_id)}
    provider = session.get(Wallet, provider_wallet_id)
    if provider is not None and key.wallet.user_id == provider.user_id:
        return {
            f"{FIELD}.attested_by": said(
                "{key} belongs to the provider, who would attest its own work", key=key_id
            )
        }
    return {}


def _about_nodes(session: Session, node_ids: tuple[str, ...]) -> dict[str, str]:
    active = set(session.scalars(select(Node.id).where(Node.id.in_(node_ids), Node.status == "active")))
    missing = [node_id for node_id in node_ids if node_id not in active]
    return (
        {f"{FIELD}.agreeing_results": said("there is no active node {nodes}", nodes=", ".join(missing))}
        if missing
        else {}
    )
