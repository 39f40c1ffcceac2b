"""Whether a node may take part in the next airdrop; if not, why not, and what its owner can do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.airdrops import Refusal
from webapp.domain.clock import utcnow
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import ZERO
from webapp.services import fund_rules
from webapp.services.airdrops import facts
from webapp.services.node_directory import DirectoryNode, DirectoryUnreachableError, directory_of
from webapp.services.nodes import reputation
from webapp.services.nodes.views import NodeView
from webapp.web.formats import duration, money, span


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One condition that is not met: the fact, as the end of a sentence about the node, and the way over it.

    `until` is when it ends by itself.
    """

    refusal: Refusal
    fact: str
    advice: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Prospects:
    """How it stands with the next airdrop. `unknown` says why nobody can tell; empty when it is known."""

    rules: FundRules
    obstacles: list[Obstacle] = field(default_factory=list)
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the directory that airdrops go by says of a node; `unknown` when it could not be asked."""

    node: DirectoryNode | None
    unknown: str = ""


def listing_of(session: Session, settings: Settings, node_id: str) -> Listing:
    """Ask the directory. It may be elsewhere, so ask it before anything else is read: no transaction stays open."""
    session.rollback()
    try:
        return Listing(directory_of(session, settings).find(node_id))
    except DirectoryUnreachableError as error:
        return Listing(None, error.detail)


def prospects_of(session: Session, settings: Settings, view: NodeView, listing: Listing) -> Prospects:
    """The prospects of a node that is registered here. A fixed number of queries."""
    rules = fund_rules.in_force(session, settings)
    if listing.unknown:
        return Prospects(rules, unknown=listing.unknown)
    judged = facts.of_node(session, settings, rules, view.node.id, listing.node, utcnow())
    refusals: Sequence[Refusal] = judged.refusals if judged else (Refusal.UNKNOWN,)
    adviser = _Adviser(session, settings, rules, view)
    return Prospects(rules, [adviser.obstacle(each) for each in refusals])


class _Adviser:
    """Knows what would have to change for one node."""

    def __init__(self, session: Session, settings: Settings, rules: FundRules, view: NodeView) -> None:
        self._session = session
        self._settings = settings
        self._rules = rules
        self._view = view

    def obstacle(self, refusal: Refusal) -> Obstacle:
        """The refusal, with what can be done about it."""
        until = None
        if refusal is Refusal.NEW:
            until = self._view.node.registered_at + timedelta(hours=self._rules.waiting_period_hours)
        return Obstacle(refusal, refusal.words, self._advice(refusal), until)

    def _advice(self, refusal: Refusal) -> str:
        match refusal:
            case Refusal.SUSPENDED:
                return _("Only an operator can change that.")
            case Refusal.UNVERIFIED:
                return _("The first sign of life that it signs with its secret proves it.")
            case Refusal.OFFLINE:
                return self._about_offline()
            case Refusal.NEW:
                waits = duration(self._rules.waiting_period_hours)
                return _(
                    "Time does it: a node waits for %(waits)s after its registration.",
                    waits=waits,
                )
            case Refusal.NO_SETTLED_WORK:
                return self._about_work()
            case Refusal.NO_ADDRESS:
                return _(
                    "Its airdrops are to go to the chain: give it an address, give its wallet a payout "
                    "address, or let them go into the balance."
                )
        return ""

    def _about_offline(self) -> str:
        if self._settings.nodes.directory_url:
            return _("The DuxNet registry has to know it and list it as active.")
        window = span(self._settings.nodes.offline_after_seconds)
        return _(
            "Start it, and see that its signs of life arrive: without one for %(window)s a node is offline.",
            window=window,
        )

    def _about_work(self) -> str:
        rules, node_id = self._rules, self._view.node.id
        done = reputation.settled_work(self._session, rules.settled_within_days, node_id=node_id).get(
            node_id, reputation.Work(0, ZERO)
        )
        least = self._settings.nodes.counted_from_amount
        lines = [
            ngettext(
                "Within %(window)s, other people must have released at least %(num)d escrow for its work, holding "
                "%(amount)s.",
                "Within %(window)s, other people must have released at least %(num)d escrows for its work, holding "
                "%(amount)s together.",
                rules.min_settled_escrows,
                window=duration(24 * rules.settled_within_days),
                amount=money(rules.min_settled_amount),
            ),
            _("So far: %(count)s, holding %(amount)s.", count=done.escrows, amount=money(done.amount)),
        ]
        if least:
            lines.append(_("Escrows below %(least)s do not count.", least=money(least)))
        return " ".join(lines)
