"""From a document to terms: every part is known, bounded and well formed, and all complaints come at once.

    {"release_when": CONDITION, "refund_when": CONDITION}

A condition is an object with one member, whose name says what it is. Groups: `all_of`, `any_of` (lists), `at_least`
({"count", "of"}), `not`. Leaves: `payer_approves`, `provider_signs_result`, `verifier_approves` (true),
`result_hash_is`, `preimage_of` (SHA-256 in hex), `attested_by` ({"key_id", "statement"}), `agreeing_results`
({"count", "of"}), `after`, `before` ({"time"}, {"height"} or {"hours", "since"}), `delivered_within` ({"time"} or
{"hours"}, which are since the creation).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said
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
    Not,
    PayerApproves,
    PreimageOf,
    ProviderSignsResult,
    ResultHashIs,
    Terms,
    VerifierApproves,
)
from webapp.domain.terms.limits import MAX_CONDITIONS, MAX_DEPTH, MAX_NODES, size_complaint
from webapp.domain.terms.values import Values

FIELD = "terms"
_UNREADABLE = AnyOf(())  # stands in for what has a complaint: nothing that holds one is ever returned
_SWITCHES: dict[str, Condition] = {
    "payer_approves": PayerApproves(),
    "provider_signs_result": ProviderSignsResult(),
    "verifier_approves": VerifierApproves(),
}


def read_terms(document: object, created_at: datetime, height: int = 0) -> Terms:
    """The terms of an escrow created at that moment. Hours since the creation become moments of the calendar.

    Moments must lie after the creation, heights above `height`, the chain's present one. The normal form of
    `as_document`, read again with the same creation and no height, gives equal terms. Raises ValidationError whose
    `fields` are paths such as `terms.release_when.any_of[2].after.time`.
    """
    reader = _Reader(created_at, height)
    release_when, refund_when = reader.both(document)
    if reader.complaints:
        detail = "; ".join(f"{path}: {message}" for path, message in reader.complaints.items())
        raise ValidationError(detail, fields=reader.complaints)
    terms = Terms(created_at, release_when, refund_when)
    if (too_much := size_complaint(terms)) is not None:
        raise ValidationError.of(FIELD, too_much)
    return terms


class _Reader:
    """Reads conditions and counts them. A path leads to every complaint."""

    def __init__(self, created_at: datetime, height: int) -> None:
        self.complaints: dict[str, str] = {}
        self._values = Values(self.complaints, created_at, height)
        self._conditions = 0
        self._kinds: dict[str, Callable[[Any, str, int], Condition | None]] = {
            "all_of": lambda raw, path, depth: AllOf(self._several(raw, path, depth)),
            "any_of": lambda raw, path, depth: AnyOf(self._several(raw, path, depth)),
            "at_least": self._at_least,
            "not": lambda raw, path, depth: Not(self._condition(raw, path, depth + 1)),
            "result_hash_is": lambda raw, path, _: ResultHashIs(self._values.sha256(raw, path)),
            "preimage_of": lambda raw, path, _: PreimageOf(self._values.sha256(raw, path)),
            "attested_by": self._attested_by,
            "agreeing_results": self._agreeing_results,
            "after": lambda raw, path, _: After(self._values.when(raw, path)),
            "before": lambda raw, path, _: Before(self._values.when(raw, path)),
            "delivered_within": lambda raw, path, _: DeliveredWithin(self._values.deadline(raw, path)),
        }

    def both(self, document: object) -> tuple[Condition, Condition | None]:
        """The two trees. The one for refunds may be left out."""
        members = self._values.members(document, FIELD, {"release_when"}, {"refund_when"})
        release_when, refund_when = members.get("release_when"), members.get("refund_when")
        if not members:
            return _UNREADABLE, None
        return (
            self._condition(release_when, f"{FIELD}.release_when", 1),
            None if refund_when is None else self._condition(refund_when, f"{FIELD}.refund_when", 1),
        )

    def _condition(self, raw: object, path: str, depth: int) -> Condition:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            self.complaints[FIELD] = said("must have at most {most} conditions", most=MAX_CONDITIONS)
            return _UNREADABLE
        if depth > MAX_DEPTH:
            return self._complain(path, said("is nested deeper than {most} levels", most=MAX_DEPTH))
        if not isinstance(raw, dict) or len(raw) != 1:
            return self._complain(path, said("must be an object with one member, which names the condition"))
        ((name, value),) = raw.items()
        if name in _SWITCHES:
            return (
                _SWITCHES[name] if value is True else self._complain(f"{path}.{name}", said("must be true"))
            )
        if name not in self._kinds:
            known = ", ".join([*self._kinds, *_SWITCHES])
            return self._complain(path, said("must be one of the known conditions: {known}", known=known))
        return self._kinds[name](value, f"{path}.{name}", depth) or _UNREADABLE

    def _complain(self, path: str, message: str) -> Condition:
        self.complaints[path] = message
        return _UNREADABLE

    def _several(self, raw: object, path: str, depth: int) -> tuple[Condition, ...]:
        if not isinstance(raw, list) or not raw:
            self._complain(path, said("must be a list of one condition or more"))
            return ()
        return tuple(
            self._condition(each, f"{path}[{index}]", depth + 1)
            for index, each in enumerate(raw[: MAX_CONDITIONS + 1])
        )

    def _at_least(self, raw: object, path: str, depth: int) -> Condition | None:
        members = self._values.members(raw, path, {"count", "of"})
        if not members:
            return None
        of = self._several(members["of"], f"{path}.of", depth)
        return AtLeast(self._values.whole(members["count"], f"{path}.count", 1, max(1, len(of))), of)

    def _attested_by(self, raw: object, path: str, _depth: int) -> Condition | None:
        members = self._values.members(raw, path, {"key_id", "statement"})
        if not members:
            return None
        key_id = self._values.name(members["key_id"], f"{path}.key_id")
        return AttestedBy(key_id, self._values.schema(members["statement"], f"{path}.statement"))

    def _agreeing_results(self, raw: object, path: str, _depth: int) -> Condition | None:
        members = self._values.members(raw, path, {"count", "of"})
        if not members:
            return None
        of = self._values.names(members["of"], f"{path}.of", MAX_NODES)
        return AgreeingResults(self._values.whole(members["count"], f"{path}.count", 1, max(1, len(of))), of)
