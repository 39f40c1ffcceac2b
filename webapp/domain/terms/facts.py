"""What has happened to an escrow with terms, each with its moment. Facts only ever come; none is taken back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from webapp.domain.exact_json import exact
from webapp.domain.result_rules.schemas import complaints, read_schema
from webapp.domain.terms.language import (
    AgreeingResults,
    AttestedBy,
    Fact,
    PayerApproves,
    PreimageOf,
    VerifierApproves,
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The provider's only one: a SHA-256 in lower-case hex, signed."""

    result_hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Attestation:
    """A JSON value that a key has signed."""

    key_id: str
    statement: Any
    at: datetime


@dataclass(frozen=True, slots=True)
class NodeResult:
    """The hash that a node says it got. Only the first one of a node counts."""

    node_id: str
    result_hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. `revealed` has SHA-256 hashes of what was shown; `heights` when a height was first seen reached.

    `supposed` are facts that a simulation takes to come at a moment.
    """

    delivery: Delivery | None = None
    payer_approved_at: datetime | None = None
    verifier_approved_at: datetime | None = None
    revealed: Mapping[str, datetime] = field(default_factory=dict)
    attestations: tuple[Attestation, ...] = ()
    node_results: tuple[NodeResult, ...] = ()
    heights: Mapping[int, datetime] = field(default_factory=dict)
    supposed: Mapping[Fact, datetime] = field(default_factory=dict)


def moment_of(fact: Fact, facts: Facts) -> datetime | None:
    """The moment from which the fact holds; None while it does not."""
    known = _known_moment_of(fact, facts)
    return facts.supposed.get(fact) if known is None else known


def _known_moment_of(fact: Fact, facts: Facts) -> datetime | None:
    match fact:
        case PayerApproves():
            return facts.payer_approved_at
        case VerifierApproves():
            return facts.verifier_approved_at
        case PreimageOf(sha256):
            return facts.revealed.get(sha256)
        case AttestedBy():
            return min((each.at for each in facts.attestations if fits(fact, each)), default=None)
        case AgreeingResults():
            return _agreed_at(fact, facts.node_results)


def fits(leaf: AttestedBy, attestation: Attestation) -> bool:
    """Whether the attestation is the one that the terms ask for: by its key, with such a statement."""
    return attestation.key_id == leaf.key_id and not statement_faults(leaf, attestation.statement)


def statement_faults(leaf: AttestedBy, statement: Any) -> list[str]:
    """What is wrong with a statement for this leaf, each with its place."""
    try:
        return complaints(_schema(leaf.statement), exact(statement))
    except ValueError as error:
        return [str(error)]


def _agreed_at(fact: AgreeingResults, results: tuple[NodeResult, ...]) -> datetime | None:
    votes: Counter[str] = Counter()
    heard = set[str]()
    for result in sorted(results, key=lambda each: each.at):
        if result.node_id in fact.of and result.node_id not in heard:
            heard.add(result.node_id)
            votes[result.result_hash] += 1
            if votes[result.result_hash] == fact.count:
                return result.at
    return None


@lru_cache(maxsize=256)
def _schema(text: str) -> dict[str, Any] | bool:
    return read_schema(json.loads(text))
