"""Who may do what to a node. What is not allowed here is denied.

Its owner manages it, in person or with a key of the wallet that has the scope; a node's own key never does, not even
for that node. A key hands on nothing that it may not do itself: it makes secrets of nodes only with all that those may
do, and says where coins go only if it may withdraw.

The node and its owner may speak for it: beats, challenges, and what is not public of it. Whoever is at the terminal,
and code that runs inside the service, may do all of that. Suspending is for operators in person.
"""

from __future__ import annotations

from webapp.domain.exceptions import PermissionDeniedError
from webapp.domain.roles import AT_TERMINAL, NODE_SCOPES, Actor, Role, Scope
from webapp.domain.said import said
from webapp.models import Node


def is_trusted(actor: Actor) -> bool:
    """Whether the actor is bound by no wallet: a command on the instance, or the service's own code."""
    return actor == AT_TERMINAL or actor.is_program


def require_manager(actor: Actor, wallet_id: int) -> None:
    """Raises PermissionDeniedError unless the actor may enter and change nodes of this wallet."""
    actor.require_scope(Scope.NODE_MANAGE)
    is_owner = wallet_id in actor.wallet_ids and actor.node_id is None
    if not (is_owner or is_trusted(actor)):
        raise PermissionDeniedError(said("only the owner of a wallet manages its nodes"))


def require_issuer(actor: Actor, wallet_id: int) -> None:
    """Raises PermissionDeniedError unless the actor may make a secret for a node of this wallet."""
    require_manager(actor, wallet_id)
    for scope in NODE_SCOPES:
        actor.require_scope(scope)


def require_payee(actor: Actor, address: str | None) -> None:
    """Raises PermissionDeniedError unless the actor may have coins sent to this address, if it is one."""
    if address and address.strip():
        actor.require_scope(Scope.WALLET_WITHDRAW)


def speaks_for(actor: Actor, node: Node) -> bool:
    """Whether the actor is the node or its owner."""
    is_theirs = node.wallet_id in actor.wallet_ids and actor.node_id in (None, node.id)
    return is_theirs or is_trusted(actor)


def require_spokesman(actor: Actor, node: Node) -> None:
    """Raises PermissionDeniedError unless the actor is the node or its owner."""
    if not speaks_for(actor, node):
        raise PermissionDeniedError(said("only the node itself and its owner may do this"))


def may_see_private(actor: Actor, node: Node) -> bool:
    """Whether the actor may know where the node's money goes and why it is suspended: its owner, and operators."""
    return speaks_for(actor, node) or actor.role is Role.OPERATOR


def require_operator(actor: Actor) -> None:
    """Raises PermissionDeniedError unless the actor is an operator in person: keys carry no role."""
    if actor.role is not Role.OPERATOR:
        raise PermissionDeniedError(said("only operators suspend and reinstate nodes"))
