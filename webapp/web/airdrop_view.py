"""One airdrop in the words of its pages: where each share went, and why other nodes have none."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from flask import Response
from flask_babel import gettext as _

from webapp.domain.airdrops import Refusal, decide, published
from webapp.domain.pagination import Page, decode_cursor, row_id
from webapp.services.airdrops.history import RecipientLine


@dataclass(frozen=True, slots=True)
class Refused:
    """A node that has no share, and why, as ends of a sentence that begins with the node. `place` counts them."""

    place: int
    node_id: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided from a snapshot besides the shares: the nodes without one, and how many there are by reason."""

    refused: tuple[Refused, ...]
    by_reason: tuple[tuple[str, int], ...]

    def page(self, limit: int, cursor: str | None) -> Page[Refused]:
        """Some of the nodes without a share, in the order of their ids. Raises ValidationError naming `cursor`."""
        after = decode_cursor(cursor, row_id) or 0
        return Page.of(list(self.refused[after : after + limit + 1]), limit, lambda each: each.place)


@lru_cache(maxsize=4)
def outcome_of(document: str, snapshot_hash: str) -> Outcome:
    """The nodes without a share, computed from the published document as anybody can.

    The document never changes, and of 10,000 nodes it takes a tenth of a second: anybody may turn its pages.
    """
    refusals = decide(published.read(document), snapshot_hash).refusals
    counts = Counter(reason for reasons in refusals.values() for reason in reasons)
    return Outcome(
        tuple(
            Refused(place, node_id, tuple(reason.words for reason in refusals[node_id]))
            for place, node_id in enumerate(sorted(refusals), start=1)
        ),
        tuple((reason.words, counts[reason]) for reason in Refusal if counts[reason]),
    )


def where_it_went(line: RecipientLine) -> str:
    """Where a share is, in words."""
    if line.status == "failed":
        return _("nowhere: the fund keeps it")
    if line.status == "credited":
        return (
            _("into its balance")
            if line.pay_to == "balance"
            else _("into its balance instead of its address")
        )
    if line.status == "chosen" and line.pay_to == "balance":
        return _("to its balance")
    return _("to its address")


def snapshot_response(document: str, snapshot_hash: str) -> Response:
    """The document byte for byte, with its hash in `ETag` and `Repr-Digest` (RFC 9530)."""
    response = Response(document.encode(), mimetype="application/json")
    response.set_etag(snapshot_hash)
    digest = base64.b64encode(bytes.fromhex(snapshot_hash)).decode()
    response.headers["Repr-Digest"] = f"sha-256=:{digest}:"
    return response
