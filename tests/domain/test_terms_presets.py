"""What people usually want: the ready-made terms, the usual ones against the rules of states, and what is foreseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from webapp.domain import escrow_states as states
from webapp.domain.escrow_states import Action, Party, Status, allowed_actions
from webapp.domain.fair_time import Pause
from webapp.domain.terms import presets
from webapp.domain.terms.conditions import Turn
from webapp.domain.terms.facts import Attestation, Delivery, Facts, NodeResult
from webapp.domain.terms.language import Terms
from webapp.domain.terms.outcome import Decision, outcome
from webapp.domain.terms.phrases import Names, Reader
from webapp.domain.terms.proof import prove
from webapp.domain.terms.reading import read_terms
from webapp.domain.terms.sentences import Told, tell_outcome, tell_prediction, tell_terms
from webapp.domain.terms.simulation import simulate

START = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HASH = "ab" * 32


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def read(document: Any) -> Terms:
    terms = read_terms(document, START)
    prove(terms)
    return terms


def due(
    terms: Terms, facts: Facts, now: datetime, height: int = 0
) -> tuple[Decision | None, datetime | None]:
    found = outcome(terms, facts, now, height)
    return found.decision, found.at


PRESETS = {
    "usual": presets.usual_terms(day(7), 72),
    "verifier too": presets.usual_terms(day(7), 72, True),
    "not before": presets.usual_terms(day(7), 72, not_before=day(12)),
    "not after": presets.usual_terms(day(7), 72, not_after=day(9)),
    "auto-release": presets.auto_release(day(5)),
    "auto-refund": presets.auto_refund(day(5)),
    "verifier decides": presets.verifier_decides(day(5)),
    "hash lock": presets.hash_lock(HASH, day(5)),
    "nodes agree": presets.nodes_agree(2, ["a", "b", "c"], day(5)),
    "from a height": presets.from_height(900, day(5)),
}
DELIVERED = Facts(delivery=Delivery(HASH, day(1)))
APPROVED = replace(DELIVERED, payer_approved_at=day(2))
AGREED = Facts(
    node_results=(NodeResult("a", HASH, day(1)), NodeResult("b", "no", day(1)), NodeResult("c", HASH, day(2)))
)
ENDS: list[tuple[str, Facts, Decision, float]] = [
    ("usual", Facts(), Decision.REFUND, 7),
    ("usual", DELIVERED, Decision.RELEASE, 4),
    ("usual", APPROVED, Decision.RELEASE, 2),
    ("usual", Facts(delivery=Delivery(HASH, day(8)), payer_approved_at=day(1)), Decision.REFUND, 7),
    ("verifier too", replace(DELIVERED, verifier_approved_at=day(3)), Decision.RELEASE, 3),
    ("not before", APPROVED, Decision.RELEASE, 12),
    ("not after", Facts(delivery=Delivery(HASH, day(6.5))), Decision.REFUND, 9),
    ("auto-release", Facts(), Decision.RELEASE, 5),
    ("auto-release", APPROVED, Decision.RELEASE, 2),
    ("auto-refund", DELIVERED, Decision.REFUND, 5),
    ("auto-refund", APPROVED, Decision.RELEASE, 2),
    ("verifier decides", APPROVED, Decision.REFUND, 5),
    ("verifier decides", replace(DELIVERED, verifier_approved_at=day(2)), Decision.RELEASE, 2),
    ("hash lock", Facts(revealed={HASH: day(5) - SECOND}), Decision.RELEASE, 5 - 1 / 86400),
    ("hash lock", Facts(revealed={HASH: day(5)}), Decision.REFUND, 5),
    ("nodes agree", AGREED, Decision.RELEASE, 2),
    ("nodes agree", replace(AGREED, node_results=AGREED.node_results[:2]), Decision.REFUND, 5),
    ("from a height", replace(APPROVED, heights={900: day(3)}), Decision.RELEASE, 3),
    ("from a height", replace(APPROVED, heights={900: day(6)}), Decision.REFUND, 5),
]


@pytest.mark.parametrize(("name", "facts", "decision", "on"), ENDS)
def test_ready_made_terms_end_as_they_say(name: str, facts: Facts, decision: Decision, on: float) -> None:
    assert due(read(PRESETS[name]), facts, day(30)) == (decision, day(on))


def test_the_usual_terms_say_what_the_rules_of_states_say_at_every_state_of_the_clock() -> None:
    terms = read(presets.usual_terms(day(7), 72, True))
    delivered_at = (None, day(0), day(3), day(5), day(7) - SECOND)
    offsets = (-SECOND, timedelta(), SECOND)
    for delivered, (deadline, offset) in product(
        delivered_at, product((day(1), day(3), day(6), day(7), day(8), day(10)), offsets)
    ):
        now = deadline + offset
        if delivered is not None and delivered > now:
            continue
        accept_by = delivered and delivered + timedelta(hours=72)
        status = Status.ACTIVE if delivered is None else Status.DELIVERED
        rules = states.Terms(status, day(7), accept_by)
        facts = Facts(delivery=delivered and Delivery(HASH, delivered))
        decision = outcome(terms, facts, now).decision
        by_time = allowed_actions(rules, frozenset({Party.CLOCK}), now)
        assert (decision is Decision.RELEASE) == (Action.RELEASE in by_time)
        assert (decision is Decision.REFUND) == (Action.REFUND in by_time)
        deliverable = outcome(terms, Facts(), now).decision is None
        assert deliverable == (
            states.refusal(rules, Action.DELIVER, frozenset({Party.PROVIDER}), now) is None
        )
        if decision is None and delivered is not None:
            for party, approved in (
                (Party.PAYER, replace(facts, payer_approved_at=now)),
                (Party.VERIFIER, replace(facts, verifier_approved_at=now)),
            ):
                assert states.refusal(rules, Action.RELEASE, frozenset({party}), now) is None
                assert due(terms, approved, now) == (Decision.RELEASE, now)


def test_clocks_stand_still_during_outages_and_what_comes_too_late_is_too_late() -> None:
    terms = read(PRESETS["usual"])
    outage = [Pause(day(6), day(6.5))]
    assert outcome(terms, Facts(), day(7.5) - SECOND, 0, outage).decision is None
    assert outcome(terms, Facts(), day(7.5), 0, outage).at == day(7.5)
    late = Facts(delivery=Delivery(HASH, day(7.25)))
    assert outcome(terms, late, day(20), 0, outage).at == day(10.25)
    assert outcome(terms, late, day(20)).decision is Decision.REFUND


def test_of_two_things_at_the_same_moment_the_calendar_comes_first_and_people_come_last() -> None:
    silence = {"after": {"hours": 48, "since": "delivery"}}
    window = read({"release_when": silence, "refund_when": {"after": {"hours": 96, "since": "creation"}}})
    assert due(window, Facts(delivery=Delivery(HASH, day(2) - SECOND)), day(9)) == (
        Decision.RELEASE,
        day(4) - SECOND,
    )
    assert due(window, Facts(delivery=Delivery(HASH, day(2))), day(9)) == (Decision.REFUND, day(4))
    people = read(
        {
            "release_when": {"payer_approves": True},
            "refund_when": {"any_of": [silence, {"after": {"hours": 96, "since": "creation"}}]},
        }
    )
    both_at_once = replace(DELIVERED, payer_approved_at=day(3))
    assert due(people, both_at_once, day(9)) == (Decision.REFUND, day(3))


def test_it_says_when_to_look_again_and_whose_turn_it_is() -> None:
    terms = read(PRESETS["usual"])
    waiting = outcome(terms, Facts(), day(1))
    assert (waiting.next_look_at, waiting.next_height) == (day(7), None)
    assert {each.turn for each in waiting.release.waits_for()} == {Turn.PROVIDER, Turn.PAYER, Turn.TIME}
    delivered = outcome(terms, DELIVERED, day(2))
    assert delivered.next_look_at == day(4)
    assert delivered.refund is not None and not delivered.refund.can_hold
    ended = outcome(terms, DELIVERED, day(9))
    assert (ended.next_look_at, list(ended.release.waits_for())) == (None, [])
    assert outcome(read(PRESETS["from a height"]), Facts(), day(1), 899).next_height == 900
    assert outcome(read(PRESETS["from a height"]), Facts(), day(1), 900).next_height is None


def test_an_attestation_counts_if_its_statement_is_the_one_that_was_asked_for() -> None:
    schema = {"type": "object", "properties": {"score": {"minimum": 0.5}}, "required": ["score"]}
    attested = {"attested_by": {"key_id": "auditor", "statement": schema}}
    terms = read({"release_when": attested, "refund_when": {"after": {"hours": 48, "since": "creation"}}})
    for key, statement, decision in [
        ("auditor", {"score": 0.75}, Decision.RELEASE),
        ("auditor", {"score": 0.25}, Decision.REFUND),
        ("auditor", "fine", Decision.REFUND),
        ("somebody", {"score": 0.75}, Decision.REFUND),
    ]:
        facts = Facts(attestations=(Attestation(key, statement, day(1)),))
        assert outcome(terms, facts, day(3)).decision is decision


FORESEEN: list[tuple[str, Facts, float, list[str]]] = [
    (
        "usual",
        Facts(),
        0,
        [
            "If nothing happens, the payer is refunded on 2030-01-08 00:00 UTC.",
            "If you deliver a result before 2030-01-08 00:00 UTC, and nothing else happens, you are paid 3 d later.",
            "If you deliver a result and the payer approves the result before 2030-01-08 00:00 UTC, and nothing else"
            " happens, you are paid at once.",
        ],
    ),
    (
        "usual",
        DELIVERED,
        2,
        [
            "If nothing happens, you are paid on 2030-01-05 00:00 UTC.",
            "If the payer approves the result, and nothing else happens, you are paid at once.",
        ],
    ),
    (
        "not before",
        Facts(),
        0,
        [
            "If nothing happens, the payer is refunded on 2030-01-08 00:00 UTC.",
            "If you deliver a result before 2030-01-08 00:00 UTC, and nothing else happens, you are paid on"
            " 2030-01-13 00:00 UTC.",
        ],
    ),
    (
        "not after",
        Facts(),
        0,
        [
            "If nothing happens, the payer is refunded on 2030-01-08 00:00 UTC.",
            "If you deliver a result before 2030-01-07 00:00 UTC, and nothing else happens, you are paid 3 d later.",
            "If you deliver a result and the payer approves the result before 2030-01-08 00:00 UTC, and nothing else"
            " happens, you are paid at once.",
        ],
    ),
    (
        "from a height",
        Facts(),
        0,
        [
            "If nothing happens, the payer is refunded on 2030-01-06 00:00 UTC.",
            "If you deliver a result and the payer approves the result and block 900 is reached before"
            " 2030-01-06 00:00 UTC, and nothing else happens, you are paid at once.",
        ],
    ),
    ("usual", APPROVED, 3, []),
]  # fmt: skip


@pytest.mark.parametrize(("name", "facts", "on", "sentences"), FORESEEN)
def test_what_is_foreseen_is_said_in_plain_sentences(
    name: str, facts: Facts, on: float, sentences: list[str]
) -> None:
    predictions = simulate(read(PRESETS[name]), facts, day(on))
    assert [tell_prediction(each, Names(reader=Reader.PROVIDER)) for each in predictions] == sentences


def test_terms_are_told_as_what_holds_and_what_does_not() -> None:
    def lines(told: list[Told], depth: int = 0) -> list[str]:
        return [
            line
            for each in told
            for line in (
                f"{'  ' * depth}{'+' if each.state.holds else '-'} {each.text}",
                *lines(list(each.parts), depth + 1),
            )
        ]

    terms = read(PRESETS["usual"])
    names = Names(provider="wallet 7", reader=Reader.PAYER)
    assert lines(tell_outcome(outcome(terms, DELIVERED, day(2)), names)) == [
        "- As soon as this holds, wallet 7 is paid:",
        "  - all of this:",
        "    + wallet 7 delivers a result",
        "    - any of this:",
        "      - you approve the result",
        "      - 72 h have passed since the delivery",
        "- You are refunded as soon as this holds:",
        "  - all of this:",
        "    - it is 2030-01-08 00:00 UTC or later",
        "    - wallet 7 has not delivered a result",
    ]
    assert "    + wallet 7 has not delivered a result" in lines(tell_terms(terms, names))
