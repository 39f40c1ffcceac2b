"""Nodes as pages show them: what everybody may see of one, and what only its owner and operators see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import request
from flask_babel import gettext as _
from flask_login import current_user

from webapp.config.sections import NodeSettings
from webapp.domain.clock import utcnow
from webapp.domain.node_health import Health
from webapp.domain.reputation import HALF_LIVES
from webapp.domain.roles import Actor, Role
from webapp.models import OperatorAction, SigningKey
from webapp.services import operator_actions
from webapp.services.nodes import rights, track_record
from webapp.services.nodes.track_record import GivenShare, Weeks
from webapp.services.nodes.views import NodeView
from webapp.services.signing_keys import IssuedKey
from webapp.web.current import db_session, services
from webapp.web.formats import duration
from webapp.web.key_states import key_state
from webapp.web.node_prospects import Listing, Prospects, prospects_of
from webapp.web.node_words import Guide, reputation_words, tasks
from webapp.web.states import state_look

MOST_SHARES = 10
MOST_KEYS = 6
MOST_WEEKS = 8
# The word of web/states.py for each health: there, `late` is said of coins.
_LOOKS = {Health.HEALTHY: "healthy", Health.LATE: "node_late", Health.OFFLINE: "offline"}


@dataclass(frozen=True, slots=True)
class NodeRow:
    """What a list says of a node. `health` is a word of web/states.py; `burden` is empty for whom it is not meant."""

    node_id: str
    is_own: bool
    is_suspended: bool
    health: str
    last_beat_at: datetime | None
    burden: str
    reputation: int
    reputation_words: str
    region: str
    version: str
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnersView:
    """What the owner and operators see of a node besides. `wallet_address` is where its airdrops go on the chain."""

    wallet_id: int
    airdrop_to: str
    wallet_address: str | None
    status_reason: str
    load: str | None
    tasks: str
    keys: list[tuple[SigningKey, str]]
    overlap: str


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A secret that is shown this once, and where it is used. `old_until` is when the one before it ends."""

    node_id: str
    key_id: str
    secret: str
    address: str
    heartbeat_seconds: int
    old_until: datetime | None = None

    @classmethod
    def of(cls, node_id: str, key: IssuedKey, old_until: datetime | None = None) -> IssuedSecret:
        """The secret of a key that was just made."""
        address = f"{request.url_root}nodes/{node_id}/heartbeat"
        seconds = services().settings.nodes.heartbeat_seconds
        return cls(node_id, key.key_id, key.secret, address, seconds, old_until)


@dataclass(frozen=True, slots=True)
class NodePage:
    """One node as its page shows it. `owners` is None for others; `actions`, what operators did, is theirs only."""

    row: NodeRow
    registered_at: datetime
    verified_at: datetime | None
    status_since: datetime
    windows: NodeSettings
    guide: Guide
    weeks: Weeks
    shares: list[GivenShare]
    prospects: Prospects
    owners: OwnersView | None
    actions: list[OperatorAction]
    is_operator: bool


def health_label(health: Health) -> str:
    """What a health is called."""
    return state_look(_LOOKS[health]).label


def row_of(view: NodeView, actor: Actor) -> NodeRow:
    """The node as a list shows it to this reader. Asks nothing of the database."""
    node = view.node
    burden = ""
    if rights.may_see_private(actor, node) and view.load is not None and view.tasks_running is not None:
        burden = _(
            "load %(load)s, %(tasks)s",
            load=_percent(view.load),
            tasks=tasks(view.tasks_running),
        )
    return NodeRow(
        node_id=node.id,
        is_own=node.wallet_id in actor.wallet_ids,
        is_suspended=node.status == "suspended",
        health=_LOOKS[view.health],
        last_beat_at=view.last_beat_at,
        burden=burden,
        reputation=view.reputation,
        reputation_words=reputation_words(view.reputation),
        region=node.region,
        version=view.version,
        capabilities=tuple(each.name for each in node.capabilities),
    )


def page_of(view: NodeView, listing: Listing) -> NodePage:
    """The node as its page shows it to whoever is logged in. A fixed number of queries."""
    actor: Actor = current_user.actor
    settings = services().settings
    is_operator = actor.role == Role.OPERATOR
    window = timedelta(days=HALF_LIVES * settings.nodes.reputation_half_life_days)
    return NodePage(
        row=row_of(view, actor),
        registered_at=view.node.registered_at,
        verified_at=view.node.verified_at,
        status_since=view.node.status_since,
        windows=settings.nodes,
        guide=Guide(settings.nodes.reputation_half_life_days, settings.nodes.counted_from_amount),
        weeks=track_record.weeks_of(db_session(), view.node.id, (utcnow() - window).date(), MOST_WEEKS),
        shares=track_record.latest_shares(db_session(), view.node.id, MOST_SHARES),
        prospects=prospects_of(db_session(), settings, view, listing),
        owners=_owners_view(view) if rights.may_see_private(actor, view.node) else None,
        actions=operator_actions.of_subject(db_session(), f"node:{view.node.id}") if is_operator else [],
        is_operator=is_operator,
    )


def _owners_view(view: NodeView) -> OwnersView:
    node = view.node
    keys = services().signing_keys(db_session()).list_for_node(node.id, MOST_KEYS)
    return OwnersView(
        wallet_id=node.wallet_id,
        airdrop_to=node.airdrop_to,
        wallet_address=view.wallet_address,
        status_reason=node.status_reason,
        load=_percent(view.load) if view.load is not None else None,
        tasks=tasks(view.tasks_running or 0),
        overlap=duration(services().settings.nodes.secret_overlap_hours),
        keys=[(key, key_state(key)) for key in keys],
    )


def _percent(thousandths: int) -> str:
    return f"{thousandths // 10}\u00a0%"
