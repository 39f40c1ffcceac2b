"""Clauses for what somebody does and for what holds: "the payer approves the result", or "you approve the result"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import reduce

from webapp.domain.said import said
from webapp.domain.terms.language import (
    After,
    AgreeingResults,
    AttestedBy,
    Before,
    DeliveredWithin,
    Height,
    Leaf,
    PayerApproves,
    PreimageOf,
    ProviderSignsResult,
    ResultHashIs,
    SinceDelivery,
    Time,
    VerifierApproves,
    When,
)


class Reader(StrEnum):
    """Who is spoken to."""

    PAYER = "payer"
    PROVIDER = "provider"
    ANOTHER = "another"


def in_utc(moment: datetime) -> str:
    """ "2030-01-31 12:00 UTC", with seconds where there are any."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M{':%S' if moment.second else ''} UTC}"


@dataclass(frozen=True, slots=True)
class Names:
    """What the sides are called ("wallet 7"), which of them reads it, and how a moment is written."""

    payer: str = said("the payer")
    provider: str = said("the provider")
    reader: Reader = Reader.ANOTHER
    moment: Callable[[datetime], str] = in_utc


PLAIN = Names()


def joined(clauses: Iterable[str]) -> str:
    """ "this and that and that"; there is at least one."""
    return reduce(lambda first, then: said("{first} and {then}", first=first, then=then), clauses)


def phrase(leaf: Leaf, names: Names = PLAIN) -> str:
    """The clause that says that the leaf holds."""
    match leaf:
        case PayerApproves():
            if names.reader is Reader.PAYER:
                return said("you approve the result")
            return said("{payer} approves the result", payer=names.payer)
        case ProviderSignsResult():
            if names.reader is Reader.PROVIDER:
                return said("you deliver a result")
            return said("{provider} delivers a result", provider=names.provider)
        case ResultHashIs(result_hash):
            if names.reader is Reader.PROVIDER:
                return said("you deliver the result with the SHA-256 {hash}", hash=result_hash)
            return said(
                "{provider} delivers the result with the SHA-256 {hash}",
                provider=names.provider,
                hash=result_hash,
            )
        case DeliveredWithin(by):
            time = names.moment(by.at)
            if names.reader is Reader.PROVIDER:
                return said("you deliver a result before {time}", time=time)
            return said("{provider} delivers a result before {time}", provider=names.provider, time=time)
        case VerifierApproves():
            return said("the verifier approves the result")
        case PreimageOf(sha256):
            return said("the secret with the SHA-256 {hash} is revealed", hash=sha256)
        case AttestedBy(key_id):
            return said("the key {key_id} signs a statement as agreed", key_id=key_id)
        case AgreeingResults(count, nodes):
            return said(
                "{count} of the nodes {nodes} deliver the same result", count=count, nodes=", ".join(nodes)
            )
        case After(when):
            return _after(when, names)
        case Before(when):
            return _before(when, names)


def negation(leaf: Leaf, names: Names = PLAIN) -> str:
    """The clause that says that the leaf does not hold."""
    match leaf:
        case PayerApproves():
            if names.reader is Reader.PAYER:
                return said("you have not approved the result")
            return said("{payer} has not approved the result", payer=names.payer)
        case ProviderSignsResult():
            if names.reader is Reader.PROVIDER:
                return said("you have not delivered a result")
            return said("{provider} has not delivered a result", provider=names.provider)
        case ResultHashIs(result_hash):
            if names.reader is Reader.PROVIDER:
                return said("you have not delivered the result with the SHA-256 {hash}", hash=result_hash)
            return said(
                "{provider} has not delivered the result with the SHA-256 {hash}",
                provider=names.provider,
                hash=result_hash,
            )
        case DeliveredWithin(by):
            time = names.moment(by.at)
            if names.reader is Reader.PROVIDER:
                return said("you have not delivered a result before {time}", time=time)
            return said(
                "{provider} has not delivered a result before {time}", provider=names.provider, time=time
            )
        case VerifierApproves():
            return said("the verifier has not approved the result")
        case PreimageOf(sha256):
            return said("the secret with the SHA-256 {hash} has not been revealed", hash=sha256)
        case AttestedBy(key_id):
            return said("the key {key_id} has not signed a statement as agreed", key_id=key_id)
        case AgreeingResults(count, nodes):
            return said(
                "fewer than {count} of the nodes {nodes} have delivered the same result",
                count=count,
                nodes=", ".join(nodes),
            )
        case After(when):
            return _before(when, names)
        case Before(when):
            return _after(when, names)


def _after(when: When, names: Names) -> str:
    match when:
        case Time(at):
            return said("it is {time} or later", time=names.moment(at))
        case SinceDelivery(hours):
            return said("{hours} h have passed since the delivery", hours=hours)
        case Height(height):
            return said("block {height} is reached", height=str(height))


def _before(when: When, names: Names) -> str:
    match when:
        case Time(at):
            return said("it is not yet {time}", time=names.moment(at))
        case SinceDelivery(hours):
            return said("{hours} h have not passed since a delivery", hours=hours)
        case Height(height):
            return said("block {height} is not reached yet", height=str(height))
