"""What the table of endpoints is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.api.conftest import World
from tests.support.signing import Program
from webapp.domain.roles import Scope


@dataclass(frozen=True)
class Request:
    """Something that the program may ask."""

    program: Program
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class Endpoint:
    """`request` makes one that works. A stranger who sends it gets `to_strangers`; None: it is not about anybody.

    Without a `scope` it is what the request asks for that needs one.
    """

    name: str
    method: str
    scope: Scope | None
    request: Callable[[World], Request]
    status: int = 200
    to_strangers: int | None = 404

    @property
    def scopes(self) -> list[str]:
        """The scopes that a key needs for the endpoint itself."""
        return [self.scope.value] if self.scope else []
