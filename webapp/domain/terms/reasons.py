"""Why terms are refused, in plain words, with the course of events that shows it."""

from __future__ import annotations

from webapp.domain.said import said
from webapp.domain.terms.exploration import ANOTHER_HASH, Witness
from webapp.domain.terms.language import After, SinceDelivery, Terms, Time
from webapp.domain.terms.outcome import Decision
from webapp.domain.terms.phrases import in_utc, joined, phrase

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
            return said("at {time}", time=in_utc(at))
        case SinceDelivery(hours):
            return said("{hours} h after the delivery", hours=hours)
        case None:
            return None


def _course(terms: Terms, witness: Witness) -> str | None:
    """What somebody did in it: "the provider delivers and the payer approves". None if nobody did anything."""
    events = [_delivery(terms, witness)] if witness.progress.result_hash is not None else []
    events += [phrase(each) for each in witness.situation.facts]
    events += [phrase(After(each)) for each in witness.situation.heights[-1:]]
    return joined(events) if events else None


def _delivery(terms: Terms, witness: Witness) -> str:
    since = witness.delivered_after and in_utc(witness.delivered_after)
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
