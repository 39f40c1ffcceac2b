"""What the page of an escrow shows of its evidence to one reader."""

from __future__ import annotations

from dataclasses import dataclass

from flask_login import current_user

from webapp.config import EvidenceSettings
from webapp.domain.escrow_states import Party
from webapp.models import Escrow, EvidenceItem
from webapp.services.evidence import rights
from webapp.services.evidence.book import of_escrow
from webapp.web.current import db_session, services


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """The items of one escrow. `side` is the reader's own, if it has one; `is_open` says that more may come."""

    items: list[EvidenceItem]
    side: str | None
    is_open: bool
    limits: EvidenceSettings

    @property
    def by_side(self) -> list[tuple[str, list[EvidenceItem]]]:
        """The payer's and the provider's, each oldest first."""
        return [(side, [item for item in self.items if item.side == side]) for side in ("payer", "provider")]

    @property
    def may_add(self) -> bool:
        """Whether this reader may add something now."""
        return self.is_open and self.side is not None and self.items_left > 0

    @property
    def items_left(self) -> int:
        """How much more this reader's side may add."""
        return max(self.limits.max_items_per_side - len(self._own), 0)

    @property
    def files_left(self) -> int:
        """How many of that may be files."""
        used = sum(item.sha256 is not None for item in self._own)
        return max(self.limits.max_files_per_side - used, 0)

    @property
    def _own(self) -> list[EvidenceItem]:
        return [item for item in self.items if item.side == self.side]


def evidence_of(escrow: Escrow, parties: frozenset[Party]) -> EvidenceView | None:
    """For whoever is logged in; None where there is nothing to show, and for those who are not to know of it."""
    actor = current_user.actor
    if not rights.may_read(db_session(), actor, escrow, parties):
        return None
    is_open = rights.takes_evidence(db_session(), escrow)
    items = of_escrow(db_session(), escrow.id)
    if not items and not is_open:
        return None
    return EvidenceView(items, rights.side_of(actor, parties), is_open, services().settings.evidence)
