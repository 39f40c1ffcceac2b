"""Random terms that hold up, through random histories: they end in time, for one side, whoever looks and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.terms import (
    START,
    any_terms,
    conditions,
    histories,
    hour,
    moments,
    outages,
    sound_terms,
)
from webapp.domain.fair_time import Pause, extended
from webapp.domain.terms.exploration import Kind, Witness, explore
from webapp.domain.terms.facts import Delivery, Facts
from webapp.domain.terms.language import AllOf, AnyOf, AtLeast, Condition, Height, Leaf, Not, Terms, leaves_of
from webapp.domain.terms.outcome import END_OF_TIME, Decision, due, outcome
from webapp.domain.terms.progress import Progress, clock, history
from webapp.domain.terms.proof import prove
from webapp.domain.terms.reading import read_terms
from webapp.domain.terms.simulation import Prediction, simulate
from webapp.domain.terms.truth import truth
from webapp.domain.terms.writing import as_document

TICK = timedelta.resolution


def known_at(now: datetime, facts: Facts, pauses: list[Pause]) -> tuple[Facts, list[Pause]]:
    """What somebody can know who looks then: an outage that is going on ends just after."""

    def past(moment: datetime | None) -> datetime | None:
        return moment if moment is not None and moment <= now else None

    facts = Facts(
        delivery=facts.delivery if facts.delivery and facts.delivery.at <= now else None,
        payer_approved_at=past(facts.payer_approved_at),
        verifier_approved_at=past(facts.verifier_approved_at),
        revealed={key: at for key, at in facts.revealed.items() if at <= now},
        attestations=tuple(each for each in facts.attestations if each.at <= now),
        node_results=tuple(each for each in facts.node_results if each.at <= now),
        heights={height: at for height, at in facts.heights.items() if at <= now},
    )
    return facts, [Pause(each.start, min(each.end, now + TICK)) for each in pauses if each.start <= now]


@given(sound_terms(), histories(), outages(), st.lists(moments(60), max_size=8))
def test_the_decision_does_not_depend_on_when_or_how_often_anybody_looks(
    terms: Terms, facts: Facts, pauses: list[Pause], looks: list[datetime]
) -> None:
    end = outcome(terms, facts, END_OF_TIME, 0, pauses)
    assert end.at is not None
    for now in [*looks, end.at, end.at - TICK]:
        if now < START:
            continue
        known, known_pauses = known_at(now, facts, pauses)
        found = outcome(terms, known, now, 0, known_pauses)
        assert (found.decision, found.at) == ((end.decision, end.at) if now >= end.at else (None, None))


@given(sound_terms(), histories(), outages())
def test_whatever_happens_it_ends_by_the_proven_moment_and_never_for_both(
    terms: Terms, facts: Facts, pauses: list[Pause]
) -> None:
    proof = prove(terms)
    end = outcome(terms, facts, END_OF_TIME, 0, pauses)
    assert end.at is not None
    assert end.at <= extended(proof.latest_end, START, pauses)
    progress = Progress()
    for step in history(terms, facts, END_OF_TIME, 0, pauses):
        progress = progress.after(step.event, terms)
        if sides := due(terms, progress):
            assert (sides, step.at) == ([end.decision], end.at)
            break


@given(sound_terms(), histories(), outages())
def test_a_worker_that_looks_when_it_was_told_to_is_never_late(
    terms: Terms, facts: Facts, pauses: list[Pause]
) -> None:
    end = outcome(terms, facts, END_OF_TIME, 0, pauses)
    happens = sorted(step.at for step in history(terms, facts, END_OF_TIME, 0, pauses))
    now = max([START, *(pause.end for pause in pauses if pause.start <= START)])
    while True:
        known, known_pauses = known_at(now, facts, pauses)
        found = outcome(terms, known, now, 0, known_pauses)
        if found.decision is not None:
            break
        news = (at for at in happens if at > now and at in _moments_of_facts(facts))
        now = min(at for at in [found.next_look_at, next(news, None)] if at is not None)
        for pause in pauses:
            if pause.start <= now < pause.end:
                now = pause.end
    assert (found.decision, found.at) == (end.decision, end.at)
    assert end.at is not None
    assert now == max([end.at, *(pause.end for pause in pauses if pause.start <= end.at < pause.end)])


def _moments_of_facts(facts: Facts) -> set[datetime]:
    single = [facts.payer_approved_at, facts.verifier_approved_at, facts.delivery and facts.delivery.at]
    many = [each.at for each in (*facts.attestations, *facts.node_results)]
    return {
        at for at in [*single, *many, *facts.revealed.values(), *facts.heights.values()] if at is not None
    }


@given(sound_terms(), histories(), outages(), moments())
def test_what_is_foreseen_is_what_comes_of_it(
    terms: Terms, facts: Facts, pauses: list[Pause], now: datetime
) -> None:
    now += TICK  # between what happens on the grid
    facts, pauses = known_at(now, facts, pauses)
    predictions = simulate(terms, facts, now, 0, pauses)
    assert bool(predictions) == (outcome(terms, facts, now, 0, pauses).decision is None)
    for each in predictions:
        assert _played(terms, facts, pauses, each, now) == (each.decision, each.at)
        if each.by is not None:
            just_before, just_then = max(now, each.by - TICK), each.by
            assert _played(terms, facts, pauses, each, just_before)[0] is each.decision
            assert _played(terms, facts, pauses, each, just_then)[0] is not each.decision


def _played(
    terms: Terms, facts: Facts, pauses: list[Pause], prediction: Prediction, moment: datetime
) -> tuple[Decision | None, datetime | None]:
    """The course as somebody lives through it who looks often, and in the end."""
    course = prediction.course
    lived = replace(facts, supposed=dict.fromkeys(course.facts, moment))
    if course.result_hash is not None:
        lived = replace(lived, delivery=Delivery(course.result_hash, moment))
    if course.height is not None:
        heights = {each.height: moment for each in terms.heights if each.height <= course.height}
        lived = replace(lived, heights=heights | dict(facts.heights))
    for look in [hour(halves / 2) for halves in range(200)]:
        found = outcome(terms, lived, look, 0, pauses)
        if found.decision is not None:
            return found.decision, found.at
    return None, None


@given(any_terms(), histories(), outages())
def test_what_is_refused_as_unpayable_is_never_paid_and_what_is_accepted_ends(
    terms: Terms, facts: Facts, pauses: list[Pause]
) -> None:
    assume(not due(terms, Progress()))
    kinds = explore(terms).witnesses
    decision = outcome(terms, facts, END_OF_TIME, 0, pauses).decision
    if Kind.STRANDED not in kinds:
        assert decision is not None
    if decision is Decision.RELEASE:
        assert Kind.RELEASED in kinds
    if decision is Decision.REFUND:
        assert Kind.REFUNDED in kinds


@given(any_terms())
def test_whatever_the_proof_looks_at_can_really_happen(terms: Terms) -> None:
    assume(not due(terms, Progress()))
    found = explore(terms).witnesses
    assume(Kind.BOTH_DUE not in found)
    for kind, decision in (
        (Kind.STRANDED, None),
        (Kind.RELEASED, Decision.RELEASE),
        (Kind.REFUNDED, Decision.REFUND),
    ):
        if kind in found and len(found[kind].situation.facts + found[kind].situation.heights) <= 2:
            ends = (outcome(terms, each, END_OF_TIME).decision for each in _courses_of(terms, found[kind]))
            assert any(end is decision for end in ends)


def _courses_of(terms: Terms, witness: Witness) -> Iterator[Facts]:
    """Every order in which what the witness names can come: after each moment, and there one after the other."""
    delivered_at = [(witness.delivered_after or START) + ticks * TICK for ticks in (0, 3)]
    come = witness.situation.facts + witness.situation.heights
    for at in delivered_at:
        result_hash = witness.progress.result_hash
        facts = Facts(delivery=None if result_hash is None else Delivery(result_hash, at))
        moments = {START, at, *(clock(terms, facts, ()).values())}
        slots = [moment + ticks * TICK for moment in moments for ticks in (0, 1, 2)]
        for chosen in product(slots, repeat=len(come)):
            dated = dict(zip(come, chosen, strict=True))
            heights = {each.height: on for each, on in dated.items() if isinstance(each, Height)}
            yield replace(
                facts,
                heights=heights,
                supposed={each: on for each, on in dated.items() if not isinstance(each, Height)},
            )


@given(any_terms())
def test_documents_come_back_as_the_same_terms(terms: Terms) -> None:
    document = as_document(terms)
    assert read_terms(document, START) == terms
    assert as_document(read_terms(document, START)) == document


@given(conditions(), st.data())
def test_many_situations_at_once_hold_what_each_of_them_holds(
    condition: Condition, data: st.DataObject
) -> None:
    leaves = list(dict.fromkeys(leaves_of(condition)))
    bits = {leaf: data.draw(st.integers(0, 255)) for leaf in leaves}
    together = truth(condition, bits.__getitem__, 255)
    for situation in range(8):
        having = {leaf for leaf in leaves if bits[leaf] >> situation & 1}
        assert bool(together >> situation & 1) == _plainly(condition, having)


def _plainly(condition: Condition, having: set[Leaf]) -> bool:
    match condition:
        case AllOf(of):
            return all(_plainly(each, having) for each in of)
        case AnyOf(of):
            return any(_plainly(each, having) for each in of)
        case AtLeast(count, of):
            return sum(_plainly(each, having) for each in of) >= count
        case Not(inner):
            return not _plainly(inner, having)
        case _:
            return condition in having
