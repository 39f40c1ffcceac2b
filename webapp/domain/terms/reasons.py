"""Why terms are refused, in plain words, with the course of events that shows it."""

from __future__ import annotations

from functools import reduce

from webapp.domain.clock import to_rfc3339
from webapp.domain.said import said
from webapp.domain.terms.exploration import ANOTHER_HASH, Witness
from webapp.domain.terms.language import (
    AgreeingResults,
    AttestedBy,
    Fact,
    Height,
    PayerApproves,
    PreimageOf,
    SinceDelivery,
    Terms,
    Time,
    VerifierApproves,
)
from webapp.domain.terms.outcome import Decision

DUE_AT_ONCE = {
    Decision.RELEASE: said("is due at once: the provider would be paid before anything has happened"),
    Decision.REFUND: said("is due at once: the payer would be refunded before anything could happen"),
}
NEVER_RELEASED = said("can never come about: the provider could not be paid, whatever happens")
CONTRADICTION_AT_ONCE = said("contradict themselves: at the creation both sides would be due")


def stranded(terms: Terms, witness: Witness) -> str:
    """The money would stay where it is."""
    events = _course(terms, witness)
    if events is None:
        return said("would never end if nobody does anything: add a time at which the money goes to one side")
    return said(
        "would never end if it goes like this and nothing else happens: {events}. Add a time at which the money goes"
        " to one side",
        events=events,
    )


def contradiction(terms: Terms, witness: Witness) -> str:
    """Both sides would be due at one and the same moment."""
    events = _course(terms, witness)
    when = _moment(witness.now_passed)
    if when is None:
        return said("contradict themselves: both sides are due at the same moment if {events}", events=events)
    if events is None:
        return said("contradict themselves: both sides are due at the same moment, {when}", when=when)
    return said(
        "contradict themselves: both sides are due at the same moment, {when}, if {events}",
        when=when,
        events=events,
    )


def _moment(when: Time | SinceDelivery | None) -> str | None:
    match when:
        case Time(at):
            return said("at {time}", time=to_rfc3339(at))
        case SinceDelivery(hours):
            return said("{hours} hours after the delivery", hours=hours)
        case None:
            return None


def _course(terms: Terms, witness: Witness) -> str | None:
    """What somebody did in it: "the provider delivers and the payer approves". None if nobody did anything."""
    events = [_delivery(terms, witness)] if witness.progress.result_hash is not None else []
    events += [_fact(each) for each in witness.situation.facts]
    events += [_height(each) for each in witness.situation.heights[-1:]]
    if not events:
        return None
    return reduce(lambda first, then: said("{first} and {then}", first=first, then=then), events)


def _delivery(terms: Terms, witness: Witness) -> str:
    since = to_rfc3339(witness.delivered_after)
    delivered = witness.progress.result_hash
    if not terms.result_hashes:
        if since is None:
            return said("the provider delivers")
        return said("the provider delivers at {since} or later", since=since)
    if delivered == ANOTHER_HASH:
        if since is None:
            return said("the provider delivers another result")
        return said("the provider delivers another result at {since} or later", since=since)
    if since is None:
        return said("the provider delivers the result {hash}", hash=delivered)
    return said("the provider delivers the result {hash} at {since} or later", hash=delivered, since=since)


def _fact(fact: Fact) -> str:
    match fact:
        case PayerApproves():
            return said("the payer approves")
        case VerifierApproves():
            return said("the verifier approves")
        case PreimageOf(sha256):
            return said("the secret behind {sha256} is revealed", sha256=sha256)
        case AttestedBy(key_id):
            return said("the key {key_id} attests what is asked", key_id=key_id)
        case AgreeingResults(count, nodes):
            return said("{count} of {number} nodes agree", count=count, number=len(nodes))


def _height(height: Height) -> str:
    return said("block {height} is reached", height=str(height.height))
