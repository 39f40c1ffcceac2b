"""The terms, what holds in them, and what is foreseen, as sentences for the side that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from webapp.domain.fair_time import in_words
from webapp.domain.said import said
from webapp.domain.terms.conditions import State, Turn, state_of
from webapp.domain.terms.exploration import ANOTHER_HASH
from webapp.domain.terms.language import (
    After,
    AllOf,
    AnyOf,
    AtLeast,
    Condition,
    Height,
    Not,
    ProviderSignsResult,
    ResultHashIs,
    Terms,
)
from webapp.domain.terms.outcome import Decision, Outcome
from webapp.domain.terms.phrases import PLAIN, Names, Reader, joined, negation, phrase
from webapp.domain.terms.progress import Progress
from webapp.domain.terms.simulation import ANY_HASH, Prediction


@dataclass(frozen=True, slots=True)
class Told:
    """A heading or a clause, with the state it is about and the clauses below it."""

    text: str
    state: State
    parts: tuple[Told, ...] = ()


def tell_terms(terms: Terms, names: Names = PLAIN) -> list[Told]:
    """The terms as they stand at the creation: one tree for each side."""
    trees = [(Decision.RELEASE, terms.release_when), (Decision.REFUND, terms.refund_when)]
    return [
        Told(_as_soon_as(decision, names), state, (tell(state, names),))
        for decision, tree in trees
        if tree is not None
        for state in [state_of(tree, Progress())]
    ]


def tell_outcome(found: Outcome, names: Names = PLAIN) -> list[Told]:
    """The same with what holds now."""
    trees = [(Decision.RELEASE, found.release), (Decision.REFUND, found.refund)]
    return [
        Told(_as_soon_as(decision, names), state, (tell(state, names),))
        for decision, state in trees
        if state is not None
    ]


def tell(state: State, names: Names = PLAIN) -> Told:
    """One condition with all that is in it."""
    condition = state.condition
    if isinstance(condition, Not) and not isinstance(condition.condition, AllOf | AnyOf | AtLeast | Not):
        return Told(negation(condition.condition, names), state)
    return Told(_heading(condition, names), state, tuple(tell(part, names) for part in state.parts))


def tell_turn(turn: Turn, names: Names = PLAIN) -> str:
    """Who or what is waited for."""
    match turn:
        case Turn.PAYER:
            if names.reader is Reader.PAYER:
                return said("It is your turn.")
            return said("It is for {payer} to do.", payer=names.payer)
        case Turn.PROVIDER:
            if names.reader is Reader.PROVIDER:
                return said("It is your turn.")
            return said("It is for {provider} to do.", provider=names.provider)
        case Turn.VERIFIER:
            return said("It is for the verifier to do.")
        case Turn.KEY:
            return said("It is for the owner of the key to do.")
        case Turn.NODES:
            return said("It is for the nodes to do.")
        case Turn.ANYBODY:
            return said("Anybody who knows the secret can do it.")
        case Turn.TIME:
            return said("It comes with time.")
        case Turn.CHAIN:
            return said("It comes with the blocks of the chain.")


def tell_prediction(prediction: Prediction, names: Names = PLAIN) -> str:
    """One sentence: "If you deliver a result before …, and nothing else happens, you are paid 72 h later."."""
    result = _result(prediction, names)
    events = list(_events(prediction, names))
    if not events:
        return said("If nothing happens, {result}.", result=result)
    if prediction.by is None:
        return said("If {events}, and nothing else happens, {result}.", events=joined(events), result=result)
    return said(
        "If {events} before {time}, and nothing else happens, {result}.",
        events=joined(events),
        time=names.moment(prediction.by),
        result=result,
    )


def _as_soon_as(decision: Decision, names: Names) -> str:
    if decision is Decision.RELEASE:
        if names.reader is Reader.PROVIDER:
            return said("You are paid as soon as this holds:")
        return said("As soon as this holds, {provider} is paid:", provider=names.provider)
    if names.reader is Reader.PAYER:
        return said("You are refunded as soon as this holds:")
    return said("As soon as this holds, {payer} is refunded:", payer=names.payer)


def _heading(condition: Condition, names: Names) -> str:
    match condition:
        case AllOf():
            return said("all of this:")
        case AnyOf():
            return said("any of this:")
        case AtLeast(count):
            return said("at least {count} of this:", count=count)
        case Not():
            return said("not this:")
        case _:
            return phrase(condition, names)


def _events(prediction: Prediction, names: Names) -> Iterator[str]:
    course = prediction.course
    if course.result_hash == ANY_HASH:
        yield phrase(ProviderSignsResult(), names)
    elif course.result_hash == ANOTHER_HASH:
        if names.reader is Reader.PROVIDER:
            yield said("you deliver another result")
        else:
            yield said("{provider} delivers another result", provider=names.provider)
    elif course.result_hash is not None:
        yield phrase(ResultHashIs(course.result_hash), names)
    for fact in course.facts:
        yield phrase(fact, names)
    if course.height is not None:
        yield phrase(After(Height(course.height)), names)


def _result(prediction: Prediction, names: Names) -> str:
    who = _who(prediction.decision, names)
    if prediction.delay == timedelta():
        return said("{who} at once", who=who)
    if prediction.delay is not None:
        return said("{who} {delay} later", who=who, delay=in_words(prediction.delay))
    if prediction.at == prediction.at_latest:
        return said("{who} on {time}", who=who, time=names.moment(prediction.at))
    return said("{who} by {time}", who=who, time=names.moment(prediction.at_latest))


def _who(decision: Decision, names: Names) -> str:
    if decision is Decision.RELEASE:
        if names.reader is Reader.PROVIDER:
            return said("you are paid")
        return said("{provider} is paid", provider=names.provider)
    if names.reader is Reader.PAYER:
        return said("you are refunded")
    return said("{payer} is refunded", payer=names.payer)
