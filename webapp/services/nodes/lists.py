"""Nodes with their health, load and reputation: a page of them in a fixed number of queries. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.config.sections import NodeSettings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ValidationError
from webapp.domain.node_health import Health, health_of
from webapp.domain.pagination import Page, checked_limit, decode_cursor
from webapp.domain.said import said
from webapp.models import Node, NodeCapability, NodeHeartbeat, Wallet
from webapp.services.nodes import reputation
from webapp.services.nodes.enrolment import is_node_id
from webapp.services.nodes.views import NodeFilter, NodeView

STATUSES = ("active", "suspended")


def list_nodes(
    session: Session, settings: Settings, wanted: NodeFilter, limit: int | None, cursor: str | None
) -> Page[NodeView]:
    """See `NodeRegistry.list`."""
    size = checked_limit(limit)
    after = decode_cursor(cursor, _parsed_id)
    conditions = list(_conditions(wanted, settings.nodes, utcnow()))
    if after is not None:
        conditions.append(Node.id > after)
    statement = _with_beats().where(*conditions).order_by(Node.id).limit(size + 1)
    return Page.of(_views(session, settings, statement), size, lambda view: view.node.id)


def views_of(session: Session, settings: Settings, node_ids: Collection[str]) -> list[NodeView]:
    """These nodes, in the order of their ids; those that are not there are left out."""
    statement = _with_beats().where(Node.id.in_(node_ids)).order_by(Node.id)
    return _views(session, settings, statement)


def _with_beats() -> Select[*tuple[Any, ...]]:
    return (
        select(Node, Wallet.user_id, Wallet.payout_address, NodeHeartbeat)
        .join(Wallet, Wallet.id == Node.wallet_id)
        .outerjoin(NodeHeartbeat, NodeHeartbeat.node_id == Node.id)
        .execution_options(populate_existing=True)
    )


def _views(session: Session, settings: Settings, statement: Select[*tuple[Any, ...]]) -> list[NodeView]:
    rows = session.execute(statement).all()
    scores = reputation.of_nodes(session, settings, [row.Node.id for row in rows]) if rows else {}
    now = utcnow()
    return [_view(row, scores[row.Node.id], settings.nodes, now) for row in rows]


def _view(row: Any, score: int, settings: NodeSettings, now: datetime) -> NodeView:
    node: Node = row.Node
    beat: NodeHeartbeat | None = row.NodeHeartbeat
    last = beat.last_beat_at if beat else None
    return NodeView(
        node=node,
        owner_user_id=row.user_id,
        health=health_of(last, now, *settings.health_windows),
        last_beat_at=last,
        load=beat.load if beat else None,
        tasks_running=beat.tasks_running if beat else None,
        reputation=score,
        version=(beat.version if beat else "") or node.version,
        wallet_address=(node.airdrop_address or row.payout_address) if node.airdrop_to == "chain" else None,
    )


def _conditions(wanted: NodeFilter, settings: NodeSettings, now: datetime) -> Iterator[ColumnElement[bool]]:
    if wanted.text:
        yield func.lower(Node.id).contains(wanted.text.strip().lower(), autoescape=True)
    if wanted.capability:
        able = select(NodeCapability.node_id).where(NodeCapability.name == wanted.capability.strip().lower())
        yield Node.id.in_(able)
    if wanted.region:
        yield Node.region == wanted.region.strip()
    if wanted.status:
        if wanted.status not in STATUSES:
            raise ValidationError.of("status", said("must be {names}", names=" or ".join(STATUSES)))
        yield Node.status == wanted.status
    if wanted.wallet_ids is not None:
        yield Node.wallet_id.in_(wanted.wallet_ids)
    if wanted.health:
        yield _is_in_health(wanted.health, settings, now)


def _is_in_health(health: Health, settings: NodeSettings, now: datetime) -> ColumnElement[bool]:
    """The same as `health_of`, in the database's words."""
    last = NodeHeartbeat.last_beat_at
    is_late = last < now - timedelta(seconds=settings.late_after_seconds)
    is_offline = last < now - timedelta(seconds=settings.offline_after_seconds)
    if health is Health.OFFLINE:
        return or_(last.is_(None), is_offline)
    return is_late & ~is_offline if health is Health.LATE else last.is_not(None) & ~is_late


def _parsed_id(text: str) -> str:
    if not is_node_id(text):
        raise ValueError(text)
    return text
