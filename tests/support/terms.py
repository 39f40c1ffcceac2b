"""Random terms that hold up, and random histories of escrows with them, for Hypothesis.

Everything happens on one grid of half hours, so that moments coincide as often as can be.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import strategies as st

from webapp.domain.exceptions import ValidationError
from webapp.domain.fair_time import Pause
from webapp.domain.terms.facts import Attestation, Delivery, Facts, NodeResult
from webapp.domain.terms.language import (
    After,
    AgreeingResults,
    AllOf,
    AnyOf,
    AtLeast,
    AttestedBy,
    Before,
    Condition,
    DeliveredWithin,
    Height,
    Leaf,
    Not,
    PayerApproves,
    PreimageOf,
    ProviderSignsResult,
    ResultHashIs,
    SinceDelivery,
    Terms,
    Time,
    VerifierApproves,
)
from webapp.domain.terms.limits import size_complaint
from webapp.domain.terms.progress import Progress
from webapp.domain.terms.proof import Proof, prove
from webapp.domain.terms.truth import truth

START = datetime(2030, 1, 1, tzinfo=UTC)
HASHES = ("ab" * 32, "cd" * 32)
NODES = ("a", "b", "c")
LOW, HIGH = 10, 20
LAST_HOUR = 16
LONGEST_HISTORY_HOURS = 40


def hour(number: float) -> datetime:
    """So many hours after the creation."""
    return START + timedelta(hours=number)


def moments(last: int = LONGEST_HISTORY_HOURS) -> st.SearchStrategy[datetime]:
    """The grid, from the creation on."""
    return st.integers(0, 2 * last).map(lambda halves: hour(halves / 2))


_times = st.integers(1, LAST_HOUR - 1).map(lambda number: Time(hour(number)))
_whens = _times | st.integers(1, 6).map(SinceDelivery) | st.sampled_from([Height(LOW), Height(HIGH)])
_LEAVES: st.SearchStrategy[Leaf] = st.one_of(
    st.just(PayerApproves()),
    st.just(VerifierApproves()),
    st.just(ProviderSignsResult()),
    st.sampled_from(HASHES).map(ResultHashIs),
    st.just(PreimageOf(HASHES[0])),
    st.just(AttestedBy("key", '{"const":true}')),
    st.sampled_from([AgreeingResults(2, NODES), AgreeingResults(2, NODES[:2])]),
    _times.map(DeliveredWithin),
    _whens.map(After),
    _whens.map(Before),
)


def conditions() -> st.SearchStrategy[Condition]:
    """Trees of up to three levels, so that there are as many left as the shapes of terms need."""

    def grown(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(
            several.map(AllOf),
            several.map(AnyOf),
            several.flatmap(lambda of: st.integers(1, len(of)).map(lambda count: AtLeast(count, of))),
            inner.map(Not),
        )

    return _LEAVES | grown(_LEAVES | grown(_LEAVES))


def not_at_once(condition: Condition) -> Condition:
    """The condition, or its opposite if that is what does not hold at the creation: nothing may be due at once."""
    return Not(condition) if truth(condition, Progress().holds) else condition


_TREES = conditions().map(not_at_once)
_END = After(Time(hour(LAST_HOUR)))
_SHAPES: tuple[Callable[[Condition, Condition], tuple[Condition, Condition | None]], ...] = (
    lambda first, second: (AnyOf((first, _END)), AllOf((second, Not(first)))),
    lambda first, second: (AllOf((first, Not(second))), AnyOf((second, _END))),
    lambda first, second: (first, AnyOf((second, _END))),
    lambda first, second: (AnyOf((first, _END)), second),
    lambda first, second: (first, second),
    lambda first, second: (first, _END),
    lambda first, _: (AnyOf((first, _END)), None),
)


@st.composite
def any_terms(draw: st.DrawFn) -> Terms:
    """Terms within the limits, in one of the shapes. Some hold up, as one side is due at the end of all."""
    return _shaped(draw(st.integers(0, len(_SHAPES) - 1)), draw(_TREES), draw(_TREES))


@st.composite
def sound_terms(draw: st.DrawFn) -> Terms:
    """Terms that hold up: the first shape from the drawn one on in which they do."""
    drawn, first, second = draw(st.integers(0, len(_SHAPES) - 1)), draw(_TREES), draw(_TREES)
    for shape in (*range(drawn, len(_SHAPES)), *range(drawn)):
        terms = _shaped(shape, first, second)
        if proof_of(terms) is not None:
            return terms
    return Terms(START, _END)


def _shaped(shape: int, first: Condition, second: Condition) -> Terms:
    terms = Terms(START, *_SHAPES[shape](first, second))
    return terms if size_complaint(terms) is None else Terms(START, _END)


def proof_of(terms: Terms) -> Proof | None:
    """None for terms that are refused."""
    try:
        return prove(terms)
    except ValidationError:
        return None


_MAYBE = st.none() | moments()
_DELIVERIES = st.builds(Delivery, st.sampled_from([*HASHES, "ef" * 32]), moments())
_ATTESTATIONS = st.builds(Attestation, st.just("key"), st.booleans(), moments())
_RESULTS = st.builds(NodeResult, st.sampled_from(NODES), st.sampled_from(HASHES), moments())
_HEIGHTS = st.lists(moments(), max_size=2).map(
    lambda found: dict(zip((LOW, HIGH), sorted(found), strict=False))
)


def histories() -> st.SearchStrategy[Facts]:
    """Whatever people, nodes and the chain may do, at any moments."""
    return st.builds(
        Facts,
        delivery=st.none() | _DELIVERIES,
        payer_approved_at=_MAYBE,
        verifier_approved_at=_MAYBE,
        revealed=st.dictionaries(st.just(HASHES[0]), moments()),
        attestations=st.lists(_ATTESTATIONS, max_size=2).map(tuple),
        node_results=st.lists(_RESULTS, max_size=4).map(tuple),
        heights=_HEIGHTS,
    )


@st.composite
def outages(draw: st.DrawFn) -> list[Pause]:
    """A few, which do not overlap; some begin before the escrow."""
    ends = sorted(draw(st.sets(st.integers(-4, 60), max_size=6)))
    return [Pause(hour(first / 2), hour(last / 2)) for first, last in list(pairwise(ends))[::2]]
