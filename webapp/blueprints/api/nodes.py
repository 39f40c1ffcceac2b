"""Nodes over JSON: registered, changed, listed, heard from, verified. Suspending them is for operators in person.

Whoever has a key with `node:read` sees every node as the public would: status, reputation, load, what it can do. Where
its money goes and why it is suspended stays with its owner and the node itself; see `services.nodes.rights`.
"""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.node_schemas import (
    ChallengeAnswer,
    ChallengeDocument,
    CreatedNode,
    Heartbeat,
    HeartbeatAnswer,
    NewNode,
    NodeDocument,
    NodeKey,
    NodePage,
    NodePath,
    NodeProfile,
    NodeQuery,
)
from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    changed,
    created_at_location,
    made,
    operation,
    operation_id,
)
from webapp.blueprints.api.schemas import IdempotencyHeader
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.exceptions import PermissionDeniedError
from webapp.domain.node_health import Health, parse_load
from webapp.domain.roles import NODE_SCOPES, Scope
from webapp.services.idempotency import StoredAnswer
from webapp.services.nodes import heartbeats
from webapp.services.nodes.registry import NodeFilter, NodeRegistry, NodeView
from webapp.services.nodes.rights import may_see_private
from webapp.services.signing_keys import IssuedKey
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor, signed_at

_TAG = Tag(name="Nodes", description="Machines that run tasks for the wallets they belong to")
bp = APIBlueprint(
    "api_nodes", __name__, url_prefix="/nodes", abp_tags=[_TAG], operation_id_callback=operation_id
)

_HANDS_ON = (
    "A key hands on nothing that it may not do itself: it needs the scopes of a node's key, too "
    f"({', '.join(scope.value for scope in NODE_SCOPES)}), and `{Scope.WALLET_WITHDRAW.value}` to name an address."
)
# The health that a status stands for; `suspended` goes with any.
_HEALTH = {"active": Health.HEALTHY, "late": Health.LATE, "offline": Health.OFFLINE}


@bp.post(
    "",
    **operation(Scope.NODE_MANAGE, created_at_location(CreatedNode), creates=True, description=_HANDS_ON),
)
@signed_request(Scope.NODE_MANAGE)
def register(header: IdempotencyHeader, body: NewNode) -> Response:
    """Register a node of the key's wallet, and make its first key."""
    issued: list[IssuedKey] = []

    def effect() -> StoredAnswer:
        said = body.model_dump(exclude_none=True, exclude={"wallet_id"})
        registered = _registry().register(current_actor(), wallet_id=_wallet_id(body), **said)
        issued.append(registered.key)
        document = CreatedNode(
            **_document(body.node_id).model_dump(), key_id=registered.key.key_id, secret=None
        )
        return made(document, url_for("api_nodes.show", id=body.node_id))

    return _with_secret(answer_once(header, effect), CreatedNode, issued)


@bp.get("", **operation(Scope.NODE_READ, NodePage))
@signed_request(Scope.NODE_READ)
def list_all(query: NodeQuery) -> Response:
    """All nodes, in the order of their ids."""
    health = query.health
    if query.status in _HEALTH:
        if health not in (None, _HEALTH[query.status]):
            return answer(NodePage(items=[], next_cursor=None))
        health = _HEALTH[query.status]
    wanted = NodeFilter(
        text=query.text or "",
        capability=query.capability or "",
        region=query.region or "",
        health=health,
        status="active" if query.status in _HEALTH else query.status,
    )
    page = _registry().list(wanted, query.limit, query.cursor)
    return answer(NodePage(items=[_told(view) for view in page.items], next_cursor=page.next_cursor))


@bp.get("/<id>", **operation(Scope.NODE_READ, NodeDocument))
@signed_request(Scope.NODE_READ)
def show(path: NodePath) -> Response:
    """One node."""
    return answer(_document(path.id))


@bp.patch(
    "/<id>",
    **operation(
        Scope.NODE_MANAGE,
        NodeDocument,
        changes=True,
        description=f"An address for its airdrops needs the scope `{Scope.WALLET_WITHDRAW.value}`, too.",
    ),
)
@signed_request(Scope.NODE_MANAGE)
def update(path: NodePath, body: NodeProfile) -> Response:
    """Change what is said of a node of the key's wallet. A node's own key does not: only its owner's."""
    said = body.model_dump(exclude_none=True)
    if "airdrop_address" in body.model_fields_set:
        said["airdrop_address"] = body.airdrop_address or ""
    _registry().update(current_actor(), path.id, **said)
    return answer(_document(path.id))


@bp.post("/<id>/rotate", **operation(Scope.NODE_MANAGE, NodeKey, changes=True, description=_HANDS_ON))
@signed_request(Scope.NODE_MANAGE)
def rotate(path: NodePath, header: IdempotencyHeader) -> Response:
    """Make a new secret for a node. The old ones work for a while yet, so that it can change over in peace."""
    issued: list[IssuedKey] = []

    def effect() -> StoredAnswer:
        issued.append(_registry().rotate(current_actor(), path.id))
        return changed(NodeKey(node_id=path.id, key_id=issued[0].key_id, secret=None))

    return _with_secret(answer_once(header, effect), NodeKey, issued)


@bp.post("/<id>/challenge", **operation(Scope.NODE_HEARTBEAT, ChallengeDocument, changes=True))
@signed_request(Scope.NODE_HEARTBEAT)
def challenge(path: NodePath, header: IdempotencyHeader) -> Response:
    """Ask for something to sign, which shows that the node has its secret. For the node and its owner."""

    def effect() -> StoredAnswer:
        asked = _registry().ask(current_actor(), path.id)
        expires_at = to_rfc3339(asked.expires_at) or ""
        return changed(ChallengeDocument(node_id=path.id, challenge=asked.text, expires_at=expires_at))

    return answer_once(header, effect)


@bp.post("/<id>/challenge/answer", **operation(Scope.NODE_HEARTBEAT, NodeDocument, changes=True))
@signed_request(Scope.NODE_HEARTBEAT)
def answer_challenge(path: NodePath, header: IdempotencyHeader, body: ChallengeAnswer) -> Response:
    """Hand in the node's signature over the challenge. The node is verified from then on."""

    def effect() -> StoredAnswer:
        _registry().answer(current_actor(), path.id, body.challenge, body.signature)
        return changed(_document(path.id))

    return answer_once(header, effect)


@bp.post(
    "/<id>/heartbeat",
    **operation(
        Scope.NODE_HEARTBEAT,
        HeartbeatAnswer,
        changes=True,
        description="Signed with a key of that very node, whose first beat verifies it. A beat that was not signed "
        "later than the one before it, to the second, is refused like a nonce that was used.",
    ),
)
@signed_request(Scope.NODE_HEARTBEAT, keeps_nonces=False)
def heartbeat(path: NodePath, header: IdempotencyHeader, body: Heartbeat) -> Response:
    """Say that the node is there, and how busy it is."""
    if current_actor().node_id != path.id:
        raise PermissionDeniedError("only the node itself says how it is: sign with a key of that node")

    if header.idempotency_key is None:
        return answer(_beat(path.id, body))
    return answer_once(header, lambda: changed(_beat(path.id, body)))


def _beat(node_id: str, body: Heartbeat) -> HeartbeatAnswer:
    settings = services().settings
    health = heartbeats.beat(
        db_session(),
        settings,
        node_id,
        load=parse_load(body.load),
        tasks_running=body.tasks_running,
        version=body.version,
        at=utcnow(),
        signed_at=signed_at(),
    )
    every = settings.nodes.heartbeat_seconds
    return HeartbeatAnswer(node_id=node_id, health=health, next_within_seconds=every)


def _registry() -> NodeRegistry:
    return services().node_registry(db_session())


def _wallet_id(body: NewNode) -> int:
    (own,) = current_actor().wallet_ids
    return own if body.wallet_id is None else body.wallet_id


def _document(node_id: str) -> NodeDocument:
    return _told(_registry().get(node_id))


def _told(view: NodeView) -> NodeDocument:
    return NodeDocument(**view.document(has_private=may_see_private(current_actor(), view.node)))


def _with_secret(
    response: Response, model: type[NodeKey] | type[CreatedNode], issued: list[IssuedKey]
) -> Response:
    """The answer that is stored for a repetition has no secret in it: only the first one shows it."""
    if issued:
        document = model.model_validate_json(response.get_data())
        response.set_data(document.model_copy(update={"secret": issued[0].secret}).model_dump_json())
    return response
