"""The kinds of values in the JSON endpoints' documents, and examples of them.

What pydantic would turn into another kind is refused. Whether a value makes sense is the services' to say.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, WithJsonSchema

MAX_WALLET_ID = 2**31 - 1
MAX_TEXT = 128

ESCROW_ID = "0198c3f2-6c1e-7bb0-9d5e-3f2a9a41bc07"
PAYOUT_ID = "0198c3f9-1f07-7ac3-8a51-6b0d8e2f4c11"
ADDRESS = "FJ3q8bC1Y2dF5gH7kL9mN4pQ6rS8tU1vW2"
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
MOMENT = "2026-01-31T12:00:00.123456Z"


def _only(*kinds: type) -> BeforeValidator:
    """Refuse what pydantic would turn into another kind: `true` into 1, "7" into 7, a number into a time."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"must be {' or '.join(_KIND_WORDS[kind] for kind in kinds)}")
        return value

    return BeforeValidator(check)


_KIND_WORDS: dict[type, str] = {int: "a whole number", str: "text"}


def _no_control_characters(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must not contain control characters")
    return value


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a time that can be told in UTC") from None


WalletId = Annotated[int, Field(ge=1, le=MAX_WALLET_ID), _only(int)]
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_no_control_characters)]
Moment = Annotated[AwareDatetime, AfterValidator(_to_utc), _only(str)]
AmountIn = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,11}(\.[0-9]{1,8})?$"},
                {"type": "number", "exclusiveMinimum": 0, "maximum": 10_000_000_000},
            ],
            "description": "FLOP, with at most eight decimals. Text is the safer of the two.",
        }
    ),
]
AmountOut = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{8}$")]
MomentOut = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
