"""What was found out of a request before Flask got it: who signed it, and whether it has been counted.

A request that the hot path reads and then leaves to Flask is not judged again: neither does it count twice, nor does
its own nonce look like one that was sent before. What failed on the hot path fails where it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_limiter import RequestLimit

from webapp.services.request_signing import SignedRequest

# No header of a request can set it: theirs begin with `HTTP_`.
_NAME = "duxos.admission"


@dataclass(slots=True)
class Admission:
    """A request whose signature is right; `place` is the one it has taken below the rate limit."""

    signed: SignedRequest
    place: RequestLimit | None = None
    failure: Exception | None = None

    def hand_on(self, environ: dict[str, Any]) -> None:
        """Leave the request, with what is known of it, to Flask."""
        environ[_NAME] = self


def find_admission(environ: Mapping[str, Any]) -> Admission | None:
    """What is known of a request that was looked at before; None of one that comes as it was sent."""
    found: Admission | None = environ.get(_NAME)
    return found
