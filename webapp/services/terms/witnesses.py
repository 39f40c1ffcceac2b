"""Whom the terms of an escrow name besides its parties: keys that attest, and nodes whose results are compared."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.domain.roles import Actor
from webapp.domain.terms.language import AgreeingResults, AttestedBy, Terms
from webapp.models import Escrow
from webapp.services.terms.judging import read_again
from webapp.services.terms.records import terms_of


def is_witness(session: Session, escrow: Escrow, actor: Actor) -> bool:
    """Whether the escrow's own terms name this program, which then sees the escrow that it says something about."""
    if not escrow.has_own_terms or not actor.key_ids:
        return False
    terms = read_again(escrow, terms_of(session, escrow.id))
    return bool(actor.key_ids & named_keys(terms)) or actor.node_id in named_nodes(terms)


def named_keys(terms: Terms) -> frozenset[str]:
    """The keys whose attestation the terms ask for."""
    return frozenset(leaf.key_id for leaf in terms.facts if isinstance(leaf, AttestedBy))


def named_nodes(terms: Terms) -> frozenset[str]:
    """The nodes whose results the terms compare."""
    return frozenset(
        node_id for leaf in terms.facts if isinstance(leaf, AgreeingResults) for node_id in leaf.of
    )
