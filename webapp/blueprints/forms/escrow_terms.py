"""How a new escrow ends: a few ways in plain words, each with its fields, or a document of the payer's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import DateTimeLocalField, IntegerField, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, Optional

from webapp.domain.exact_json import read_json
from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said
from webapp.domain.terms import presets
from webapp.web.forms import PageForm, stripped

USUAL, OWN = "usual", "own"
WAYS_TO_END = [
    SelectChoice(
        USUAL,
        _l(
            "The usual way\nReleased when you accept the result or let your time to object pass; back to you without "
            "a result by the deadline."
        ),
    ),
    SelectChoice(
        "bounds",
        _l("Not before, not after\nThe usual way, but nothing is paid before a time, or after another."),
    ),
    SelectChoice(
        "release_at", _l("Released by itself\nWhen you approve the result, and at a time in any case.")
    ),
    SelectChoice(
        "refund_at",
        _l("Back by itself\nReleased when you approve the result before a time; back to you then."),
    ),
    SelectChoice(
        "verifier", _l("The verifier decides\nReleased when the verifier approves the result before a time.")
    ),
    SelectChoice("secret", _l("A secret opens it\nReleased to the provider when the secret is revealed.")),
    SelectChoice("nodes", _l("Several nodes agree\nReleased when enough nodes come to the same result.")),
    SelectChoice(OWN, _l("Terms of my own\nAs a JSON document.")),
]
_NEEDS_END = ("release_at", "refund_at", "verifier", "secret", "nodes")


class EndingFields(PageForm):
    """The fields of all the ways. What the terms may be is judged by `domain.terms`."""

    ending = RadioField(_l("How does it end?"), choices=WAYS_TO_END, default=USUAL)
    not_before = DateTimeLocalField(_l("Not before"), [Optional()])
    not_after = DateTimeLocalField(_l("Not after"), [Optional()])
    ends_at = DateTimeLocalField(_l("At this time"), [Optional()])
    secret_hash = StringField(_l("SHA-256 of the secret"), [Optional(), Length(max=64)], [stripped])
    nodes = TextAreaField(_l("Nodes"), [Optional(), Length(max=2000)], [stripped])
    nodes_needed = IntegerField(_l("How many must agree"), [Optional()], default=2)
    terms = TextAreaField(_l("Terms"), [Optional(), Length(max=20_000)], [stripped])

    @property
    def is_usual(self) -> bool:
        """Whether it has no terms of its own."""
        return self.ending.data in (None, USUAL)

    def fill_terms(self, document: dict[str, Any]) -> None:
        """Show a document as terms of one's own."""
        self.ending.data, self.terms.data = OWN, json.dumps(document, indent=2, ensure_ascii=False)

    def document(self, deadline: datetime, acceptance_hours: int, has_verifier: bool) -> dict[str, Any]:
        """The terms that were chosen. Raises ValidationError naming the fields of this form."""
        if self.ending.data == OWN:
            return self._own()
        if self.ending.data in (None, USUAL, "bounds"):
            has_bounds = self.ending.data == "bounds"
            return presets.usual_terms(
                deadline,
                acceptance_hours,
                has_verifier,
                not_before=_utc(self.not_before.data) if has_bounds else None,
                not_after=_utc(self.not_after.data) if has_bounds else None,
            )
        ends_at = _utc(self.ends_at.data)
        if ends_at is None:
            raise ValidationError.of("ends_at", said("is needed"))
        return self._ways()[self.ending.data](ends_at)

    def _ways(self) -> dict[str, Callable[[datetime], dict[str, Any]]]:
        return {
            "release_at": presets.auto_release,
            "refund_at": presets.auto_refund,
            "verifier": presets.verifier_decides,
            "secret": lambda at: presets.hash_lock(self.secret_hash.data or "", at),
            "nodes": lambda at: presets.nodes_agree(self.nodes_needed.data or 0, self._node_ids(), at),
        }

    def _node_ids(self) -> list[str]:
        return (self.nodes.data or "").replace(",", " ").split()

    def _own(self) -> dict[str, Any]:
        try:
            document = read_json(self.terms.data or "")
        except ValueError as error:
            raise ValidationError.of("terms", said("must be JSON: {fault}", fault=str(error))) from None
        if not isinstance(document, dict):
            raise ValidationError.of("terms", said("must be an object"))
        return document

    def ending_error(self, error: ValidationError) -> ValidationError:
        """The same, its fields named as this form names them: only one's own terms have places of their own."""
        if self.ending.data == OWN:
            return error
        fields = {}
        for name, message in error.fields.items():
            is_about_terms = name.partition(".")[0] == "terms"
            fields[self._place(name) if is_about_terms else name] = message
        return ValidationError(error.detail, fields=fields)

    def _place(self, path: str) -> str:
        for part, name in (("preimage_of", "secret_hash"), ("agreeing_results", "nodes")):
            if part in path:
                return "nodes_needed" if path.endswith("count") else name
        if path.endswith("time") and self.ending.data in _NEEDS_END:
            return "ends_at"
        return "ending"


def _utc(entered: datetime | None) -> datetime | None:
    """The moment in UTC, which is how it was asked for."""
    return entered.replace(tzinfo=UTC) if entered else None
