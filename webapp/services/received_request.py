"""A request as its signature is checked against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Headers(Protocol):
    """The fields of a request: one value for each name, which is asked for in any case."""

    def get(self, key: str, /) -> str | None: ...

    def items(self) -> Iterable[tuple[str, str]]: ...


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it reached the application. `url` is absolute and percent-encoded."""

    method: str
    url: str
    headers: Headers
    body: bytes
