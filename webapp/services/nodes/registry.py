"""The registry of nodes: entered and kept by their owners, read by many, suspended by operators."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConflictError, NotFoundError, ValidationError
from webapp.domain.pagination import Page
from webapp.domain.reasons import checked_reason
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Node, NodeCapability, User, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.services import operator_actions
from webapp.services.node_registry import NodeAuthService
from webapp.services.nodes import lists, rights
from webapp.services.nodes.challenges import Challenge
from webapp.services.nodes.enrolment import RegisteredNode, enrol, is_node_id
from webapp.services.nodes.profiles import ProfileReader
from webapp.services.nodes.views import NodeFilter, NodeView
from webapp.services.secret_box import SecretBox
from webapp.services.signing_keys import IssuedKey, SigningKeys
from webapp.services.unit_of_work import unit_of_work

__all__ = ["MAX_NODES_PER_OWNER", "NodeFilter", "NodeRegistry", "NodeView", "RegisteredNode"]

MAX_NODES_PER_OWNER = 200
"""All wallets of one user together. Who has more has them entered at the terminal."""


class NodeRegistry:
    """The nodes of one instance. Who may do what is in `nodes.rights`."""

    def __init__(self, session: Session, settings: Settings, box: SecretBox) -> None:
        self._session = session
        self._settings = settings
        self._keys = SigningKeys(session, box)
        self._auth = NodeAuthService(session, box)

    def register(
        self,
        actor: Actor,
        node_id: str,
        wallet_id: int,
        *,
        region: str = "",
        version: str = "",
        capabilities: Collection[str] = (),
        airdrop_to: str = "balance",
        airdrop_address: str | None = None,
    ) -> RegisteredNode:
        """A new node of the wallet, with its first key. Not yet verified: it beats or answers a challenge first.

        Raises PermissionDeniedError for a wallet of somebody else, ValidationError with every wrong field.
        """
        rights.require_issuer(actor, wallet_id)
        rights.require_payee(actor, airdrop_address)
        with unit_of_work(self._session):
            values, names = self._reader().read(
                node_id=node_id,
                region=region,
                version=version,
                capabilities=capabilities,
                airdrop_to=airdrop_to,
                airdrop_address=airdrop_address,
            )
            if not rights.is_trusted(actor):
                self._check_room(wallet_id)
            registered = enrol(self._session, self._keys, node_id, wallet_id, values)
            _set_capabilities(registered.node, names or ())
            self._session.flush()
        return registered

    def update(
        self,
        actor: Actor,
        node_id: str,
        *,
        region: str | None = None,
        version: str | None = None,
        capabilities: Collection[str] | None = None,
        airdrop_to: str | None = None,
        airdrop_address: str | None = None,
    ) -> Node:
        """Change what is given; None leaves a field as it is, an empty `airdrop_address` takes the address away.

        Raises NotFoundError, PermissionDeniedError, ValidationError with every wrong field.
        """
        with unit_of_work(self._session):
            node = self._locked(node_id)
            rights.require_manager(actor, node.wallet_id)
            rights.require_payee(actor, airdrop_address)
            values, names = self._reader().read(
                region=region,
                version=version,
                capabilities=capabilities,
                airdrop_to=airdrop_to,
                airdrop_address=airdrop_address,
            )
            for name, value in values.items():
                setattr(node, name, value)
            if names is not None:
                _set_capabilities(node, names)
                values["capabilities"] = list(names)
            if rights.is_trusted(actor):
                operator_actions.record(
                    self._session, actor, "update_node", _subject(node_id), changed=values
                )
            self._session.flush()
        return node

    def suspend(self, actor: Actor, node_id: str, reason: str) -> Node:
        """Let nothing that the node signs count, and no airdrop go to it. `reason` is read by its owner.

        Raises PermissionDeniedError, NotFoundError, ValidationError naming `reason`, ConflictError when it is.
        """
        rights.require_operator(actor)
        return self._decide(actor, node_id, "suspended", reason)

    def reinstate(self, actor: Actor, node_id: str, reason: str) -> Node:
        """End a suspension. Nobody does that for a node of their own. Raises as `suspend` does."""
        rights.require_operator(actor)
        actor.require_not_own(said("the node"), self._node(node_id).wallet_id)
        return self._decide(actor, node_id, "active", reason)

    def rotate(self, actor: Actor, node_id: str) -> IssuedKey:
        """A new secret of the node. The old ones work on for `nodes.secret_overlap_hours`."""
        rights.require_issuer(actor, self._node(node_id).wallet_id)
        return self._auth.rotate_node(node_id, timedelta(hours=self._settings.nodes.secret_overlap_hours))

    def ask(self, actor: Actor, node_id: str) -> Challenge:
        """A challenge for the node. Raises NotFoundError, PermissionDeniedError, ConflictError if it is suspended."""
        rights.require_spokesman(actor, self._node(node_id))
        return self._auth.ask(node_id)

    def answer(self, actor: Actor, node_id: str, challenge: str, signature: str) -> Node:
        """Take the node's answer to a challenge, which verifies it. See `NodeAuthService.answer_challenge`."""
        rights.require_spokesman(actor, self._node(node_id))
        self._auth.answer_challenge(node_id, challenge, signature)
        return self._node(node_id)

    def get(self, node_id: str) -> NodeView:
        """The node. Raises NotFoundError."""
        (view,) = lists.views_of(self._session, self._settings, [self._node(node_id).id])
        return view

    def list(self, wanted: NodeFilter, limit: int | None = None, cursor: str | None = None) -> Page[NodeView]:
        """Nodes in the order of their ids. Raises ValidationError naming `limit`, `cursor` or `status`."""
        return lists.list_nodes(self._session, self._settings, wanted, limit, cursor)

    def _reader(self) -> ProfileReader:
        return ProfileReader(self._session, self._settings.wallet.network)

    def _check_room(self, wallet_id: int) -> None:
        owner = select(Wallet.user_id).where(Wallet.id == wallet_id).scalar_subquery()
        # One registration of an owner at a time: of several at the same moment each must see the ones before.
        self._session.execute(select(User.id).where(User.id == owner).with_for_update(key_share=True))
        owned = select(func.count()).select_from(Node).join(Wallet).where(Wallet.user_id == owner)
        if self._session.execute(owned).scalar_one() >= MAX_NODES_PER_OWNER:
            raise ValidationError.of(
                "wallet_id",
                said(
                    "its owner has {max_nodes_per_owner} nodes, the most there can be",
                    max_nodes_per_owner=MAX_NODES_PER_OWNER,
                ),
            )

    def _node(self, node_id: str) -> Node:
        node = self._session.get(Node, node_id, populate_existing=True) if is_node_id(node_id) else None
        if node is None:
            raise NotFoundError(said("there is no such node"))
        return node

    def _locked(self, node_id: str) -> Node:
        node = self._node(node_id)
        self._session.refresh(node, with_for_update=True)
        return node

    def _decide(self, actor: Actor, node_id: str, status: str, reason: str) -> Node:
        text = checked_reason(reason)
        with unit_of_work(self._session):
            node = self._node(node_id)
            values = {"status": status, "status_reason": text, "status_since": utcnow()}
            statement = update(Node).where(Node.id == node_id, Node.status != status).values(**values)
            if not changes_one_row(self._session, statement):
                raise ConflictError(said("the node is {status} already", status=status))
            action = "suspend_node" if status == "suspended" else "reinstate_node"
            operator_actions.record(self._session, actor, action, _subject(node_id), reason=text)
            self._session.refresh(node)
        return node


def _subject(node_id: str) -> str:
    return f"node:{node_id}"


def _set_capabilities(node: Node, names: Collection[str]) -> None:
    present = {capability.name: capability for capability in node.capabilities}
    node.capabilities = [present.get(name) or NodeCapability(name=name) for name in names]
