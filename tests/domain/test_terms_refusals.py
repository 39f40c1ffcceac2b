"""What is refused before money depends on it, and why: malformed documents, and terms that do not hold up."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webapp.domain.exceptions import ValidationError
from webapp.domain.terms.outcome import Decision
from webapp.domain.terms.proof import prove
from webapp.domain.terms.reading import read_terms
from webapp.domain.terms.writing import as_document

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HASH, OTHER_HASH = "ab" * 32, "cd" * 32
DELIVERED, PAYER, VERIFIER = (
    {"provider_signs_result": True},
    {"payer_approves": True},
    {"verifier_approves": True},
)


def on(day: float) -> dict[str, Any]:
    return {"after": {"time": (NOW + timedelta(days=day)).isoformat()}}


def silence(hours: int) -> dict[str, Any]:
    return {"after": {"hours": hours, "since": "delivery"}}


def both(release: Any, refund: Any = None) -> dict[str, Any]:
    return {"release_when": release} | ({} if refund is None else {"refund_when": refund})


def not_(condition: Any) -> dict[str, Any]:
    return {"not": condition}


def all_of(*of: Any) -> dict[str, Any]:
    return {"all_of": list(of)}


def any_of(*of: Any) -> dict[str, Any]:
    return {"any_of": list(of)}


MALFORMED: list[tuple[Any, dict[str, str]]] = [
    ("soon", {"terms": "must be an object"}),
    ({"refund_when": on(1)}, {"terms": 'must have "release_when"'}),
    (both(PAYER) | {"end_when": on(1)}, {"terms.end_when": "not known"}),
    (both({"payer_approves": "yes"}), {"terms.release_when.payer_approves": "must be true"}),
    (both({"payer_approves": True, "verifier_approves": True}), {"terms.release_when": "one member"}),
    (both({"moon_is_full": True}), {"terms.release_when": "known conditions"}),
    (both(any_of()), {"terms.release_when.any_of": "one condition or more"}),
    (
        both(any_of(PAYER, {"preimage_of": "12"}, {"after": {"time": "tomorrow"}}), {"after": {"height": "9"}}),
        {
            "terms.release_when.any_of[1].preimage_of": "SHA-256",
            "terms.release_when.any_of[2].after.time": "such as 2030",
            "terms.refund_when.after.height": "whole number",
        },
    ),
    (both({"after": {"time": "2030-02-01T00:00:00"}}), {"terms.release_when.after.time": "with its zone"}),
    (both({"after": {"time": "2030-02-30T00:00:00Z"}}), {"terms.release_when.after.time": "such as"}),
    (both({"after": {"time": "0001-01-01T00:00:00+14:00"}}), {"terms.release_when.after.time": "such as"}),
    (both({"after": {"time": "2030-01-01T00:00:00Z"}}), {"terms.release_when.after.time": "in the future"}),
    (both({"after": {"time": "2041-01-01T00:00:00Z"}}), {"terms.release_when.after.time": "at most ten years"}),
    (both({"after": {"height": 500}}), {"terms.release_when.after.height": "from 501"}),
    (both({"before": {"hours": 5, "since": "ever"}}), {"terms.release_when.before.since": '"creation"'}),
    (both({"before": {"hours": True, "since": "delivery"}}), {"terms.release_when.before.hours": "whole"}),
    (both({"delivered_within": {"height": 900}}), {"terms.release_when.delivered_within": '"hours"'}),
    (both({"at_least": {"count": 3, "of": [PAYER, VERIFIER]}}), {"terms.release_when.at_least.count": "1 to 2"}),
    (
        both({"agreeing_results": {"count": 2, "of": ["a", "a"]}}),
        {"terms.release_when.agreeing_results.of": "not name one twice"},
    ),
    (
        both({"attested_by": {"key_id": "k", "statement": {"pattern": "(a+)+"}}}),
        {"terms.release_when.attested_by.statement": "not supported"},
    ),
    (
        both({"attested_by": {"key_id": "", "statement": {"enum": ["x" * 5000]}}}),
        {
            "terms.release_when.attested_by.key_id": "1 to 100",
            "terms.release_when.attested_by.statement": "at most 4000",
        },
    ),
    (
        both(not_(not_(not_(not_(not_(not_(PAYER))))))),
        {"terms.release_when" + ".not" * 6: "deeper than 6"},
    ),
    (both(any_of(*[PAYER] * 1000)), {"terms": "at most 40 conditions"}),
    (both(any_of(*({"preimage_of": f"{n:064x}"} for n in range(9)))), {"terms": "at most 8 different approvals"}),
    (both(any_of(*(on(n + 1) for n in range(9)))), {"terms": "at most 8 different moments"}),
    (both(any_of(*({"result_hash_is": f"{n:064x}"} for n in range(5)))), {"terms": "at most 4 different results"}),
    (both(any_of(*({"after": {"height": 600 + n}} for n in range(5)))), {"terms": "at most 4 different block"}),
]  # fmt: skip


@pytest.mark.parametrize(("document", "complaints"), MALFORMED, ids=lambda value: str(value)[:60])
def test_every_complaint_names_its_place(document: Any, complaints: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        read_terms(document, NOW, height=500)
    assert refused.value.fields.keys() == complaints.keys()
    for path, words in complaints.items():
        assert words in refused.value.fields[path]


REFUND_UNDELIVERED = all_of(on(7), not_(DELIVERED))
UNSOUND: list[tuple[str, Any, str, str]] = [
    ("no time at all", both(PAYER), "terms", "if nobody does anything: add a time"),
    ("a height is no time", both({"after": {"height": 9}}, PAYER), "terms", "nobody does anything"),
    (
        "the payer stays silent",
        both(all_of(DELIVERED, PAYER), REFUND_UNDELIVERED),
        "terms",
        "nothing else happens: the provider delivers. Add a time",
    ),
    (
        "another result",
        both({"result_hash_is": HASH}, REFUND_UNDELIVERED),
        "terms",
        "the provider delivers another result. Add",
    ),
    (
        "a late delivery",
        both(any_of({"delivered_within": {"hours": 24}}, all_of(PAYER, DELIVERED)), REFUND_UNDELIVERED),
        "terms",
        "the provider delivers at 2030-01-02 00:00 UTC or later. Add",
    ),
    (
        "a window that ends too late, or with the time before which it has to end",
        both(all_of(silence(48), {"before": {"time": "2030-01-05T00:00:00Z"}}), REFUND_UNDELIVERED),
        "terms",
        "the provider delivers at 2030-01-03 00:00 UTC or later. Add",
    ),
    (
        "an approval holds the refund up",
        both(all_of(PAYER, VERIFIER), all_of(on(3), not_(PAYER))),
        "terms",
        "the payer approves the result. Add",
    ),
    (
        "a height holds the refund up",
        both(PAYER, all_of(on(3), {"before": {"height": 900}})),
        "terms",
        "block 900 is reached. Add",
    ),
    ("one event, both sides", both(PAYER, any_of(PAYER, on(1))), "terms", "moment if the payer approves the result"),
    ("one time, both sides", both(on(1), on(1)), "terms", "same moment, at 2030-01-02 00:00 UTC"),
    (
        "one window, both sides",
        both(silence(5), any_of(silence(5), on(4))),
        "terms",
        "same moment, 5 h after the delivery, if the provider delivers",
    ),
    (
        "a delivery for both sides",
        both({"result_hash_is": HASH}, any_of({"result_hash_is": HASH}, {"result_hash_is": OTHER_HASH}, on(4))),
        "terms",
        f"if the provider delivers the result {HASH}",
    ),
    (
        "both, when a time comes after an approval",
        both(any_of(all_of(PAYER, on(2)), on(9)), on(2)),
        "terms",
        "same moment, at 2030-01-03 00:00 UTC, if the payer approves the result",
    ),
    ("paid at once", both(not_(PAYER), on(1)), "terms.release_when", "at once"),
    ("refunded at once", both(PAYER, {"before": {"height": 9}}), "terms.refund_when", "at once"),
    ("a deadline not met yet", both(PAYER, not_({"delivered_within": {"hours": 9}})), "terms.refund_when", "at once"),
    ("both at once", both(not_(PAYER), not_(VERIFIER)), "terms", "at the creation both sides"),
    ("pays nobody", both(all_of(PAYER, not_(PAYER)), on(1)), "terms.release_when", "can never come about"),
    (
        "paid only after everything is over",
        both(all_of(DELIVERED, on(8)), on(7)),
        "terms.release_when",
        "can never come about",
    ),
    (
        "two results at a time",
        both(all_of({"result_hash_is": HASH}, {"result_hash_is": OTHER_HASH}), on(7)),
        "terms.release_when",
        "can never come about",
    ),
    (
        "a window that would end too late",
        both(all_of(silence(100), {"before": {"time": "2030-01-04T00:00:00Z"}}), on(7)),
        "terms.release_when",
        "can never come about",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "path", "reason"), [row[1:] for row in UNSOUND], ids=[row[0] for row in UNSOUND]
)
def test_terms_that_do_not_hold_up_are_refused_with_the_course_that_shows_it(
    document: Any, path: str, reason: str
) -> None:
    terms = read_terms(document, NOW)
    with pytest.raises(ValidationError) as refused:
        prove(terms)
    assert refused.value.fields.keys() == {path}
    assert reason in refused.value.fields[path]


SOUND: list[tuple[str, Any, float, Decision, float]] = [
    ("released by time, never refunded", both(any_of(PAYER, on(3))), 3, Decision.RELEASE, 3),
    ("the last day to deliver", both(silence(72), REFUND_UNDELIVERED), 10, Decision.REFUND, 7),
    ("whichever comes first", both(silence(72), on(7)), 7, Decision.REFUND, 7),
    ("a height that may never come", both({"after": {"height": 9}}, on(4)), 4, Decision.REFUND, 4),
    (
        "another result goes back",
        both({"result_hash_is": HASH}, any_of(all_of(DELIVERED, not_({"result_hash_is": HASH})), on(2))),
        2,
        Decision.REFUND,
        2,
    ),
    (
        "a window that can just end in time",
        both(all_of(silence(72), {"before": {"time": "2030-01-04T00:00:01Z"}}), on(7)),
        7,
        Decision.REFUND,
        7,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "latest", "idle", "idle_until"), [row[1:] for row in SOUND], ids=[row[0] for row in SOUND]
)
def test_sound_terms_are_proven_with_their_latest_end(
    document: Any, latest: float, idle: Decision, idle_until: float
) -> None:
    proof = prove(read_terms(document, NOW))
    assert proof.latest_end == NOW + timedelta(days=latest)
    assert (proof.if_nothing_happens, proof.nothing_happens_until) == (idle, NOW + timedelta(days=idle_until))


def test_hours_since_the_creation_are_kept_as_the_moment_they_lead_to() -> None:
    document = both(
        all_of(PAYER, {"delivered_within": {"hours": 5}}), {"after": {"hours": 48, "since": "creation"}}
    )
    terms = read_terms(document, NOW)
    normal = as_document(terms)
    assert normal == both(
        all_of(PAYER, {"delivered_within": {"time": "2030-01-01T05:00:00Z"}}),
        {"after": {"time": "2030-01-03T00:00:00Z"}},
    )
    assert read_terms(normal, NOW) == terms


def test_the_largest_terms_are_proven_in_a_fraction_of_a_second() -> None:
    facts = [PAYER, VERIFIER, *({"preimage_of": f"{n:064x}"} for n in range(6))]
    results = [{"result_hash_is": f"{n:064x}"} for n in range(4)]
    heights = [{"after": {"height": 900 + n}} for n in range(4)]
    moments = [*(silence(5 + 7 * n) for n in range(4)), *(on(10.3 * n) for n in (1, 2, 3))]
    many = {"at_least": {"count": 19, "of": [*facts, *results, *heights, *moments]}}
    terms = read_terms(both(all_of(DELIVERED, many, not_(on(30.9))), any_of(*[on(41)] * 10)), NOW)
    started = time.process_time()
    assert prove(terms).latest_end == NOW + timedelta(days=41)
    assert time.process_time() - started < 0.5
