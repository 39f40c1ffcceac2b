"""JSON Schema (Draft 2020-12) written by strangers, for values sent by strangers: the part of it whose cost is known.

Left out, and refused by name when a schema is read: regular expressions (they can take for ever), references to other
documents, and keywords that look at what others left over. A reference to `#/$defs/<name>` is replaced by what it
names, so a definition that holds itself, or one that doubles with every level, shows at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError, ValidationError

from webapp.domain.exact_json import EXACT, exact
from webapp.domain.said import said

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_PARTS = 200
MAX_SCHEMA_DEPTH = 32
MAX_WORK = 400_000
"""Parts of the schema times values of the result: about a second at worst."""
MAX_COMPLAINTS = 10

_ONE = frozenset({"items", "contains", "not", "if", "then", "else", "additionalProperties", "propertyNames"})
_SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "dependentSchemas"})
_PLAIN = frozenset({
    "type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
    "maxLength", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties",
    "maxProperties", "required", "dependentRequired", "title", "description", "default", "examples", "$comment",
    "deprecated", "readOnly", "writeOnly", "format",
})  # fmt: skip
_REFERENCE = "#/$defs/"


def read_schema(raw: object) -> dict[str, Any] | bool:
    """The schema without references, its numbers as Decimal. Raises ValueError with the place and the reason."""
    if isinstance(raw, dict) and raw.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
        raise ValueError(said("$schema must be {dialect}", dialect=DIALECT))
    definitions = raw.get("$defs", {}) if isinstance(raw, dict) else {}
    if not isinstance(definitions, dict):
        raise ValueError(said("$defs must be an object"))
    top = (
        {name: value for name, value in raw.items() if name not in ("$schema", "$defs")}
        if isinstance(raw, dict)
        else raw
    )
    schema: dict[str, Any] | bool = _Reader(definitions).read(exact(top), "")
    try:
        _Checker.check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path)
        raise ValueError(f"{place or 'the schema'}: {_short(error.message)}") from None
    return schema


def complaints(schema: dict[str, Any] | bool, value: object) -> list[str]:
    """What is wrong with a value, each with its place; the first few. Raises ValueError when it cannot be checked."""
    if _parts(schema) * _parts(value) > MAX_WORK:
        raise ValueError(said("has too many values for its schema to be checked"))
    found: list[str] = []
    try:
        with localcontext(EXACT):
            for error in _Checker(schema).iter_errors(value):
                place = "/" + "/".join(str(part) for part in error.absolute_path)
                found.append(f"{_short(place)}: {_reason(error)}")
                if len(found) == MAX_COMPLAINTS:
                    break
    except ArithmeticError:
        raise ValueError(said("has a number that its schema cannot be checked with")) from None
    return found


class _Reader:
    """Copies a schema keyword by keyword, counting its parts."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._open: list[str] = []
        self._parts = self._depth = 0

    def read(self, raw: object, place: str) -> Any:
        """One schema inside another. Raises ValueError for what is no part of the language."""
        self._parts += 1
        if self._parts > MAX_SCHEMA_PARTS:
            raise ValueError(
                said(
                    "has more than {max_schema_parts} parts, with what its references stand for",
                    max_schema_parts=MAX_SCHEMA_PARTS,
                )
            )
        if isinstance(raw, bool):
            return raw
        if not isinstance(raw, dict):
            raise ValueError(said("{place}: must be an object, true or false", place=place or "the schema"))
        self._depth += 1
        if self._depth > MAX_SCHEMA_DEPTH:
            raise ValueError(
                said(
                    "{place}: is nested deeper than {max_schema_depth} levels",
                    place=_short(place),
                    max_schema_depth=MAX_SCHEMA_DEPTH,
                )
            )
        schema = {name: self._keyword(name, raw[name], f"{place}/{name}") for name in raw if name != "$ref"}
        if "$ref" in raw:
            schema["allOf"] = [*schema.get("allOf", []), self._definition(raw["$ref"], place)]
        self._depth -= 1
        return schema

    def _keyword(self, name: str, value: Any, place: str) -> Any:
        if name in _ONE:
            return self.read(value, place)
        if name in _SEVERAL and isinstance(value, list):
            return [self.read(each, f"{place}/{index}") for index, each in enumerate(value)]
        if name in _NAMED and isinstance(value, dict):
            return {key: self.read(each, f"{place}/{key}") for key, each in value.items()}
        if name in _PLAIN:
            return value
        raise ValueError(said("{place}: is not supported", place=_short(place)))

    def _definition(self, reference: object, place: str) -> Any:
        name = reference.removeprefix(_REFERENCE) if isinstance(reference, str) else ""
        if reference != _REFERENCE + name or name not in self._definitions:
            raise ValueError(
                said(
                    "{place}/$ref: must be {reference} and the name of a definition",
                    place=_short(place),
                    reference=_REFERENCE,
                )
            )
        if name in self._open:
            raise ValueError(said("{place}/$ref: leads back to itself", place=_short(place)))
        self._open.append(name)
        schema = self.read(exact(self._definitions[name]), f"/$defs/{name}")
        self._open.pop()
        return schema


def _unique(_checker: Any, is_wanted: bool, value: object, _schema: object) -> Iterator[ValidationError]:
    """As the keyword asks, in one pass: the usual way compares each item with each when they cannot be sorted."""
    if (
        is_wanted is True
        and isinstance(value, list)
        and len({_identity(each) for each in value}) < len(value)
    ):
        yield ValidationError(said("has an item twice"))


def _identity(value: object) -> object:
    """Equal for equal JSON values: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return "object", frozenset((name, _identity(member)) for name, member in value.items())
    if isinstance(value, list):
        return "array", tuple(_identity(each) for each in value)
    return (
        "number" if isinstance(value, int | Decimal) and not isinstance(value, bool) else type(value).__name__
    ), value


def _is_integer(_checker: object, value: object) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


_extend: Any = validators.extend
_Checker: Any = _extend(
    Draft202012Validator,
    validators={"uniqueItems": _unique},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def _parts(value: object) -> int:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_parts(member) for member in members)


def _reason(error: ValidationError) -> str:
    """In our words: those of the library repeat the value, which may be a megabyte long."""
    keyword: object = error.validator  # None for the schema `false`, which nothing fits
    if keyword is None or keyword == "uniqueItems":
        return said("may not be there") if keyword is None else error.message
    return said(
        "{keyword} {validator_value} is not met",
        keyword=keyword,
        validator_value=_short(json.dumps(error.validator_value, default=str), 60),
    )


def _short(text: str, most: int = 120) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
