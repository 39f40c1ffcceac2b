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
    if not actor.key_ids:
        return False
    keys, nodes = named(session, escrow)
    return bool(actor.key_ids & keys) or actor.node_id in nodes


def named(session: Session, escrow: Escrow) -> tuple[frozenset[str], frozenset[str]]:
    """The keys and the nodes that the escrow's own terms name, if it has any."""
    if not escrow.has_own_terms:
        return frozenset(), frozenset()
    terms = read_again(escrow, terms_of(session, escrow.id))
    return named_keys(terms), named_nodes(terms)


def named_keys(terms: Terms) -> frozenset[str]:
    """The keys whose attestation the terms ask for."""
    return frozenset(leaf.key_id for leaf in terms.facts if isinstance(leaf, AttestedBy))


def named_nodes(terms: Terms) -> frozenset[str]:
    """The nodes whose results the terms compare."""
    return frozenset(
        node_id for leaf in terms.facts if isinstance(leaf, AgreeingResults) for node_id in leaf.of
    )
