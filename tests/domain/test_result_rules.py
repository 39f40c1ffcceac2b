"""What results must be, kind by kind: real pictures, texts and values, and those that were made to do harm."""

from __future__ import annotations

import json
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.results import bomb, many_scans, picture
from webapp.domain.exact_json import exact, read_json, storable
from webapp.domain.exceptions import ValidationError
from webapp.domain.result_rules.check import check_result
from webapp.domain.result_rules.findings import Finding
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.limits import read_limits
from webapp.domain.result_rules.orders import ordered_limits
from webapp.domain.result_rules.schemas import complaints, read_schema
from webapp.domain.result_rules.submitted import SubmittedResult
from webapp.domain.result_rules.words import rules_in_words

MIB = 1024 * 1024
ORDERED = {"formats": ["PNG"], "width": 64, "height": 32, "modes": ["RGB"]}


def found(kind: Kind, data: bytes, limits: dict[str, Any] | None = None) -> dict[str, Finding]:
    """The findings by their rules, with the limits read as they are for a service."""
    return {each.rule: each for each in check_result(kind, data, read_limits(kind, limits or {}, MIB))}


def refusals(kind: Kind, data: bytes, limits: dict[str, Any] | None = None) -> dict[str, str]:
    told = check_result(kind, data, read_limits(kind, limits or {}, MIB))
    return {each.rule: each.message for each in told if each.refuses}


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_a_png_is_what_was_ordered(mode: str) -> None:
    data = picture(mode=mode)
    assert refusals(Kind.IMAGE, data, ORDERED | {"modes": [mode]}) == {}
    assert found(Kind.IMAGE, data)["mode"].message == f"has the mode {mode}"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"\xff\xd9 not the end"}])
def test_a_jpeg_is_read_to_its_end(options: dict[str, Any]) -> None:
    data = picture("JPEG", (300, 200), **options)
    assert refusals(Kind.IMAGE, data, {"formats": ["JPEG"], "min_width": 300, "max_height": 200}) == {}
    assert refusals(Kind.IMAGE, picture("JPEG", mode="CMYK"), {"modes": ["CMYK"]}) == {}


def test_every_property_that_differs_is_told_with_what_is_there() -> None:
    assert refusals(Kind.IMAGE, picture("JPEG", (65, 20), "L"), ORDERED | {"min_height": 30}) == {
        "format": "must have the format PNG, and has JPEG",
        "width": "must have exactly 64 pixels across, and has 65",
        "height": "must have exactly 32 pixels down, and has 20",
        "mode": "must have the mode RGB, and has L",
    }
    advised = ORDERED | {"advisory": ["mode", "width", "format", "height"]}
    assert refusals(Kind.IMAGE, picture("JPEG", (65, 20), "L"), advised) == {}
    assert not found(Kind.IMAGE, picture(mode="L"), advised)["mode"].is_met


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "begins like none"),
        (b"GIF89a and so on", "begins like none"),
        (picture("GIF"), "begins like none"),
        (b"\x89PNG\r\n\x1a\n", "is cut off"),
        (picture()[:-1], "is cut off"),
        (picture()[:40], "is cut off"),
        (picture("JPEG")[:-1], "is cut off"),
        (picture("JPEG")[:100], "is cut off"),
        (b"\xff\xd8\xff\xd9", "is cut off"),
        (picture() + b"PK\x03\x04 an archive", "15 bytes behind it"),
        (picture("JPEG") + b"<script>", "8 bytes behind it"),
        (picture("JPEG") + picture(), "bytes behind it"),
        (picture()[:50] + b"\0" + picture()[51:], "cannot be decoded"),
        (picture("JPEG").replace(b"\xff\xdb", b"\xff\xe5"), "cannot be decoded"),
    ],
)  # fmt: skip
def test_what_is_no_sound_picture_is_refused(data: bytes, reason: str) -> None:
    assert reason in refusals(Kind.IMAGE, data)["image"]


def test_several_frames_are_not_one_picture() -> None:
    from PIL import Image

    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = picture(save_all=True, append_images=frames)
    assert "several frames" in refusals(Kind.IMAGE, data)["image"]


def test_decompression_bombs_cost_nothing() -> None:
    bombs = [bomb(12_000), picture()[:16] + b"\x7f\xff\xff\xff" * 2 + picture()[24:], many_scans(500)]
    tracemalloc.start()
    reasons = [refusals(Kind.IMAGE, data)["image"] for data in bombs]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert max(map(len, bombs)) < MIB
    assert peak < 4 * MIB
    assert "must have at most 16777216 pixels, and has 12000 × 12000" in reasons
    assert reasons[1].startswith("must")
    assert "more than 32 scans" in reasons[2]
    assert "at most 100 pixels" in refusals(Kind.IMAGE, picture(), {"max_pixels": 100})["image"]


SOUND = [picture(), picture("JPEG"), picture("JPEG", progressive=True), picture(mode="P")]


@settings(max_examples=150)
@given(st.sampled_from(SOUND), st.lists(st.tuples(st.integers(2, 2000), st.integers(0, 255)), max_size=6))
def test_damaged_pictures_are_judged_and_break_nothing(data: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for place, value in damage:
        damaged[place % len(damaged)] = value
    findings = found(Kind.IMAGE, bytes(damaged), ORDERED)
    assert findings["size"].is_met
    assert "image" in findings


@pytest.mark.parametrize(
    ("data", "rule", "reason"),
    [
        (b"\xff", "encoding", "not at byte 0"),
        ("grüß".encode("latin-1"), "encoding", "not at byte 2"),
        (b"a\0b", "encoding", "U+0000"),
        (b"\x1b[31mred", "encoding", "U+001B"),
        (b"ab", "length", "at least 3"),
        ("\N{GRINNING FACE}".encode() * 6, "length", "at most 5 characters, and has 6"),
    ],
)
def test_a_text_is_readable_and_as_long_as_ordered(data: bytes, rule: str, reason: str) -> None:
    told = refusals(Kind.TEXT, data, {"min_characters": 3, "max_characters": 5})
    assert reason in told[rule]
    assert refusals(Kind.TEXT, "grüß\n".encode(), {"min_characters": 3, "max_characters": 5}) == {}


ENGLISH = "The picture shows a small house near the river, and behind it the mountains of the north.\n"
SPANISH = "La imagen muestra una casa pequeña cerca del río, y detrás de ella las montañas del norte.\n"


def test_a_text_is_in_the_language_that_was_ordered() -> None:
    assert refusals(Kind.TEXT, SPANISH.encode(), {"language": "es"}) == {}
    assert refusals(Kind.TEXT, ENGLISH.encode(), {"language": "es"}) == {
        "language": "must be es, and reads as en"
    }
    advisory = {"language": "es", "advisory": ["language"]}
    assert refusals(Kind.TEXT, ENGLISH.encode(), advisory) == {}
    for unclear in ("ok", "12345 " * 20, SPANISH[:40]):
        assert refusals(Kind.TEXT, unclear.encode(), {"language": "es"}) == {}, unclear


def test_a_payer_orders_one_of_the_languages_that_are_offered() -> None:
    assert ordered_limits(Kind.TEXT, {}, {"text_language": "es"}, 1000) == {"language": "es"}
    for offered, asked in (({"language": "en"}, "es"), ({}, "xx"), ({}, 7), ({}, None)):
        with pytest.raises(ValidationError) as refused:
            ordered_limits(Kind.TEXT, offered, {"text_language": asked}, 1000)
        assert "metadata" in refused.value.fields


def test_bytes_of_a_wrong_size_are_not_looked_into() -> None:
    assert list(found(Kind.IMAGE, b"no picture", {"max_bytes": 5})) == ["size"]
    assert refusals(Kind.FILE, b"1234", {"min_bytes": 5}) == {"size": "must have at least 5 bytes, and has 4"}
    assert refusals(Kind.FILE, b"12345", {"min_bytes": 5}) == {}
    assert refusals(Kind.HASH, b"anything") == {}


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"row": {"type": "array", "items": {"type": "number"}, "uniqueItems": True}},
    "type": "object",
    "required": ["total", "rows"],
    "properties": {
        "total": {"type": "number", "multipleOf": 0.01},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/row"}},
        "count": {"type": "integer"},
    },
    "additionalProperties": False,
}
CHECKS = [
    {"at": "/total", "equals": 3.14, "tolerance": "0.01"},
    {"at": "/rows/0/1", "minimum": 1, "maximum": 2},
]
COMPUTED = {"schema": SCHEMA, "checks": CHECKS}


@pytest.mark.parametrize(
    ("text", "rule", "reason"),
    [
        ('{"total": 3.15, "rows": [[0.1, 2]], "count": 2.0}', None, ""),
        ('{"total": 3.151, "rows": [[0, 2]]}', "checks", "must have 3.14 ± 0.01 at /total, and has 3.151"),
        ('{"total": 3.141, "rows": [[0, 2]]}', "schema", '/total: multipleOf "0.01" is not met'),
        ('{"total": 3.14, "rows": [[0, 2.00000000000000000001]]}', "checks", "at most 2 at /rows/0/1"),
        ('{"total": 3.14, "rows": []}', "checks", "must have a number at /rows/0/1"),
        ('{"total": "3.14", "rows": [[0, 1]]}', "schema", '/total: type "number" is not met'),
        ('{"total": 3.14, "rows": [[1, 1.0]]}', "schema", "/rows/0: has an item twice"),
        ('{"total": 3.14, "rows": [[0, 1]], "x": 1}', "schema", "additionalProperties false is not met"),
        ('{"total": NaN}', "json", "NaN is not a JSON number"),
        ('{"total": 1e400}', "json", "beyond all use"),
        ('{"total": 1, "total": 1}', "json", "a member twice"),
        ("[" * 33 + "]" * 33, "json", "nesting is too deep"),
        ("[" * 100_000, "json", "nesting is too deep"),
        ("9" * 5000, "json", "cannot be read"),
        ('{"total": ', "json", "cannot be read"),
        ("\ufeff{}", "json", "cannot be read"),
        (json.dumps(list(range(100_000))), "schema", "too many values for its schema"),
    ],
)  # fmt: skip
def test_a_computation_fits_its_schema_and_its_known_numbers(
    text: str, rule: str | None, reason: str
) -> None:
    told = refusals(Kind.COMPUTATION, text.encode(), COMPUTED)
    if rule is None:
        assert told == {}
    else:
        assert reason in told[rule]


def test_bytes_that_are_no_unicode_are_no_json() -> None:
    assert "no Unicode text" in refusals(Kind.COMPUTATION, b'"\xff"')["json"]


@given(
    st.decimals(-(10**12), 10**12, places=12),
    st.decimals(-(10**3), 10**3, places=12),
    st.decimals(0, 10**3, places=12),
)
def test_a_tolerance_is_kept_to_the_last_digit(expected: Decimal, off: Decimal, tolerance: Decimal) -> None:
    limits = {"checks": [{"at": "", "equals": str(expected), "tolerance": str(tolerance)}]}
    told = refusals(Kind.COMPUTATION, str(expected + off).encode(), limits)
    assert (told == {}) == (abs(off) <= tolerance)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=5), part, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_a_json_value_has_one_hash_however_it_is_written(value: Any) -> None:
    once = read_json(json.dumps(value))
    again = read_json(json.dumps(value, indent=3, ensure_ascii=False))
    assert SubmittedResult.of_json(once, MIB).hash == SubmittedResult.of_json(again, MIB).hash
    assert exact(storable(once)) == once


@given(JSON, JSON)
def test_whatever_stands_in_a_schema_is_read_or_refused(raw: Any, value: Any) -> None:
    try:
        schema = read_schema(raw)
    except ValueError:
        return
    assert isinstance(complaints(schema, exact(value)), list)


DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(12)} | {"d12": {}}


@pytest.mark.parametrize(
    "raw",
    [
        {"$ref": "#"},
        {"$ref": "https://example.org/schema"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}},
        {"$ref": "#/$defs/none"},
        {"$ref": "#/$defs/d0", "$defs": DOUBLING},
        {"pattern": "(a+)+$"},
        {"patternProperties": {"(a+)+$": True}},
        {"$dynamicRef": "#x"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"type": "integre"},
        {"multipleOf": 0},
        {"properties": {"a": 7}},
        {"allOf": [True] * 300},
        7,
    ],
)  # fmt: skip
def test_schemas_that_could_take_for_ever_or_mean_nothing_are_refused(raw: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        read_limits(Kind.COMPUTATION, {"schema": raw}, MIB)
    assert list(refused.value.fields) == ["limits.schema"]


@pytest.mark.parametrize(
    ("kind", "limits", "field"),
    [
        (Kind.IMAGE, [], "limits"), (Kind.IMAGE, {"colour": "red"}, "limits.colour"),
        (Kind.IMAGE, {"width": 0}, "limits.width"),
        (Kind.IMAGE, {"width": True}, "limits.width"), (Kind.IMAGE, {"width": Decimal("64.5")}, "limits.width"),
        (Kind.IMAGE, {"width": 10**9}, "limits.width"), (Kind.IMAGE, {"formats": ["GIF"]}, "limits.formats"),
        (Kind.IMAGE, {"formats": []}, "limits.formats"), (Kind.IMAGE, {"formats": "PNG"}, "limits.formats"),
        (Kind.IMAGE, {"min_width": 9, "max_width": 8}, "limits.max_width"),
        (Kind.IMAGE, {"width": 9, "max_width": 8}, "limits.width"),
        (Kind.IMAGE, {"width": 16_000, "height": 16_000}, "limits.max_pixels"),
        (Kind.IMAGE, {"advisory": ["image"]}, "limits.advisory"), (Kind.TEXT, {"schema": {}}, "limits.schema"),
        (Kind.TEXT, {"min_characters": MIB + 1}, "limits.min_characters"),
        (Kind.FILE, {"max_bytes": MIB + 1}, "limits.max_bytes"),
        (Kind.HASH, {"max_bytes": 1}, "limits.max_bytes"), (Kind.COMPUTATION, {"checks": []}, "limits.checks"),
        (Kind.COMPUTATION, {"checks": [{"at": "total", "equals": 1}]}, "limits.checks"),
        (Kind.COMPUTATION, {"checks": [{"at": "/total"}]}, "limits.checks"),
        (Kind.COMPUTATION, {"checks": [{"at": "", "equals": "NaN"}]}, "limits.checks"),
        (Kind.COMPUTATION, {"checks": [{"at": "", "equals": "1e999999999"}]}, "limits.checks"),
        (Kind.COMPUTATION, {"checks": [{"at": "", "equals": 1, "tolerance": -1}]}, "limits.checks"),
        (Kind.COMPUTATION, {"checks": [{"at": "", "minimum": 1, "tolerance": 1}]}, "limits.checks"),
        (Kind.COMPUTATION, {"schema": {"const": "\0"}}, "limits"),
        (Kind.COMPUTATION, {"schema": {"const": 2**60}}, "limits"),
        (Kind.COMPUTATION, {"schema": {"const": "x" * 9000}}, "limits"),
        (Kind.COMPUTATION, {"schema": {"const": Decimal("0.1234567890123456789")}}, "limits.schema"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_named(kind: Kind, limits: Any, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read_limits(kind, limits, MIB)
    assert list(refused.value.fields) == [field]


def test_an_order_narrows_what_its_service_offers() -> None:
    offered = read_limits(Kind.IMAGE, {"max_width": 1024, "formats": ["PNG", "JPEG"]}, MIB)
    metadata = {"image_size": "640x480", "image_format": "png", "image_mode": "RGB", "mood": "blue"}
    ordered = ordered_limits(Kind.IMAGE, offered, metadata, MIB)
    assert ordered == {"max_width": 1024, "formats": ["PNG"], "width": 640, "height": 480, "modes": ["RGB"]}
    assert ordered_limits(Kind.TEXT, {}, metadata, MIB) == {}
    for wrong in (
        {"image_size": "big"},
        {"image_size": 7},
        {"image_size": "2048x2"},
        {"image_format": "GIF"},
        {"image_format": ["PNG"]},
        {"image_mode": "XYZ"},
    ):
        with pytest.raises(ValidationError) as refused:
            ordered_limits(Kind.IMAGE, offered, wrong, MIB)
        assert list(refused.value.fields) == ["metadata"]
    with pytest.raises(ValidationError, match="does not offer"):
        ordered_limits(Kind.IMAGE, {"formats": ["PNG"]}, {"image_format": "JPEG"}, MIB)


def test_rules_are_told_in_words() -> None:
    assert rules_in_words(Kind.IMAGE, ORDERED | {"max_bytes": 9, "advisory": ["mode"]}, True) == [
        "The result itself is handed in and checked",
        "At most 9 bytes",
        "A picture that can be decoded: PNG",
        "Exactly 64 pixels wide",
        "Exactly 32 pixels high",
        "Colour mode RGB",
        "Noted only, and no reason to refuse: mode",
    ]
    told = rules_in_words(Kind.COMPUTATION, read_limits(Kind.COMPUTATION, COMPUTED, MIB), False)
    assert told[1:] == [
        "A JSON value that fits the service’s schema",
        "The number at /total: 3.14 ± 0.01",
        "The number at /rows/0/1: at least 1, at most 2",
    ]
    assert rules_in_words(Kind.TEXT, {"min_characters": 2}, False)[1:] == [
        "Text in UTF-8",
        "At least 2 characters",
    ]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: SubmittedResult.of_base64("no base64!", 99), "result"),
        (lambda: SubmittedResult.of_base64("Zm9", 99), "result"),
        (lambda: SubmittedResult.of_base64("Zm9v" * 100, 99), "result"),
        (lambda: SubmittedResult.of_base64("Zm9v" * 34, 100), "result"),
        (lambda: SubmittedResult.of_json("x" * 99, 99), "result_json"),
        (lambda: SubmittedResult.of_json(2**60, 99), "result_json"),
        (lambda: SubmittedResult.of_json(Decimal("0.1234567890123456789"), 99), "result_json"),
        (lambda: SubmittedResult.of_json(Decimal("1e400"), 99), "result_json"),
    ],
)
def test_a_result_that_cannot_be_read_is_named(make: Any, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        make()
    assert list(refused.value.fields) == [field]
