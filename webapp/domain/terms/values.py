"""The values inside of conditions: moments, numbers, names, hashes and schemas, each checked, each with its path."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from webapp.domain.canonical import canonical_json, normalize_result_hash
from webapp.domain.exact_json import storable
from webapp.domain.exceptions import ValidationError
from webapp.domain.result_rules.schemas import read_schema
from webapp.domain.said import said
from webapp.domain.terms.language import Height, SinceDelivery, Time, When
from webapp.domain.terms.limits import MAX_HEIGHT, MAX_HOURS, MAX_STATEMENT_LENGTH, MAX_TEXT_LENGTH

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Values:
    """Reads values for one document, and writes what is wrong with them into `complaints`, path by path.

    What cannot be read gives a value of the right type that means nothing: the complaint stops the reading.
    """

    def __init__(self, complaints: dict[str, str], created_at: datetime, height: int) -> None:
        self._complaints = complaints
        self._created_at = created_at
        self._height = height

    def members(
        self, raw: object, path: str, needed: set[str], allowed: set[str] | None = None
    ) -> dict[str, Any]:
        """What is known in the object; nothing if it lacks something that is needed."""
        known = needed | (allowed or set())
        if not isinstance(raw, dict):
            self._complaints[path] = said("must be an object with {members}", members=_listed(known))
            return {}
        missing, unknown = needed - raw.keys(), raw.keys() - known
        if missing:
            self._complaints[path] = said("must have {members}", members=_listed(missing))
        for name in unknown:
            self._complaints[f"{path}.{str(name)[:MAX_TEXT_LENGTH]}"] = said("is not known here")
        return {} if missing else {name: raw[name] for name in raw.keys() & known}

    def when(self, raw: object, path: str) -> When:
        """`{"time": RFC 3339}`, `{"height": n}` or `{"hours": n, "since": "creation" | "delivery"}`."""
        if isinstance(raw, dict) and raw.keys() == {"height"}:
            return Height(self.whole(raw["height"], f"{path}.height", self._height + 1, MAX_HEIGHT))
        if isinstance(raw, dict) and raw.keys() == {"hours", "since"}:
            if raw["since"] == "delivery":
                return SinceDelivery(self.whole(raw["hours"], f"{path}.hours", 1, MAX_HOURS))
            if raw["since"] != "creation":
                self._complaints[f"{path}.since"] = said('must be "creation" or "delivery"')
            return self._hours(raw["hours"], path)
        if isinstance(raw, dict) and raw.keys() == {"time"}:
            return self._time(raw["time"], path)
        self._complaints[path] = said('must have "time", or "height", or "hours" and "since"')
        return Time(self._created_at)

    def deadline(self, raw: object, path: str) -> Time:
        """`{"time": RFC 3339}` or `{"hours": n}`, which are since the creation."""
        if isinstance(raw, dict) and raw.keys() == {"hours"}:
            return self._hours(raw["hours"], path)
        if isinstance(raw, dict) and raw.keys() == {"time"}:
            return self._time(raw["time"], path)
        self._complaints[path] = said('must have "time" or "hours"')
        return Time(self._created_at)

    def whole(self, raw: object, path: str, least: int, most: int) -> int:
        """A whole number within its bounds, both included."""
        if type(raw) is int and least <= raw <= most:
            return raw
        self._complaints[path] = said("must be a whole number from {least} to {most}", least=least, most=most)
        return least

    def name(self, raw: object, path: str) -> str:
        """A printable text of moderate length."""
        if isinstance(raw, str) and 0 < len(raw) <= MAX_TEXT_LENGTH and raw.isprintable():
            return raw
        self._complaints[path] = said(
            "must be a text of 1 to {most} printable characters", most=MAX_TEXT_LENGTH
        )
        return ""

    def names(self, raw: object, path: str, most: int) -> tuple[str, ...]:
        """A list of different names."""
        if not isinstance(raw, list) or not 0 < len(raw) <= most:
            self._complaints[path] = said("must be a list of 1 to {most} names", most=most)
            return ()
        found = tuple(self.name(each, f"{path}[{index}]") for index, each in enumerate(raw))
        if len(set(found)) < len(found) and "" not in found:
            self._complaints[path] = said("must not name one twice")
        return found

    def sha256(self, raw: object, path: str) -> str:
        """A SHA-256, in lower-case hex."""
        try:
            return normalize_result_hash(raw, field=path)
        except ValidationError as error:
            self._complaints |= error.fields
            return ""

    def schema(self, raw: object, path: str) -> str:
        """A JSON Schema for a statement, as canonical JSON."""
        try:
            kept = storable(raw)
            read_schema(kept)
            text = canonical_json(kept).decode()
        except ValueError as error:
            self._complaints[path] = str(error)
            return ""
        if len(text) > MAX_STATEMENT_LENGTH:
            self._complaints[path] = said("must have at most {most} characters", most=MAX_STATEMENT_LENGTH)
        return text

    def _hours(self, raw: object, path: str) -> Time:
        hours = self.whole(raw, f"{path}.hours", 1, MAX_HOURS)
        return Time(self._created_at + timedelta(hours=hours))

    def _time(self, raw: object, path: str) -> Time:
        path = f"{path}.time"
        try:
            moment = _moment(raw)
        except (ValueError, OverflowError):
            self._complaints[path] = said(
                "must be a time with its zone, such as {example}", example="2030-01-31T12:00:00Z"
            )
            return Time(self._created_at)
        if not self._created_at < moment <= self._created_at + timedelta(hours=MAX_HOURS):
            self._complaints[path] = said("must be in the future, at most ten years from now")
        return Time(moment)


def _moment(raw: object) -> datetime:
    if not isinstance(raw, str) or not _RFC3339.fullmatch(raw):
        raise ValueError("not a time")
    return datetime.fromisoformat(raw.upper()).astimezone(UTC)


def _listed(names: set[str]) -> str:
    return " and ".join(f'"{name}"' for name in sorted(names))
