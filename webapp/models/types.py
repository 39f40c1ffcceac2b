"""Column types: money as BIGINT base units, time as UTC, and keys that both databases number by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Integer, Numeric
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

from webapp.domain.money import Amount

# SQLite numbers only INTEGER primary keys by itself.
BigKey = BigInteger().with_variant(Integer(), "sqlite")

# Sums of what ever flowed through an account exceed 64 bits on PostgreSQL before the flow ends. SQLite has no larger
# integer than that, and the driver would take a NUMERIC through a float.
Total = Numeric(38, 0).with_variant(BigInteger(), "sqlite")

# A document that is missing is NULL, and not a document that says `null`.
JsonDocument = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


class AmountType(TypeDecorator[Amount]):
    """BIGINT base units in the database, `Amount` in Python. Refuses anything but an Amount."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> int | None:
        if value is None:
            return None
        if not isinstance(value, Amount):
            raise TypeError(f"an Amount is needed, not {value!r}")
        return value.base_units

    def process_result_value(self, value: Any, dialect: Any) -> Amount | None:
        return None if value is None else Amount(int(value))


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime. SQLite keeps no zone, so what comes back is told that it is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("an aware datetime is needed")
        moment: datetime = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Any) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
