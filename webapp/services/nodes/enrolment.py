"""A node's entry with its first key, made together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.roles import NODE_SCOPES
from webapp.domain.said import said
from webapp.models import Node, Wallet
from webapp.models.insert_once import insert_once
from webapp.services.signing_keys import IssuedKey, SigningKeys
from webapp.services.unit_of_work import unit_of_work

_NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
BAD_NODE_ID = said("must be 1 to 64 letters, digits, dots, dashes or colons")
TAKEN_NODE_ID = said("a node with this id is registered")


@dataclass(frozen=True, slots=True)
class RegisteredNode:
    """A node with its first key."""

    node: Node
    key: IssuedKey


def is_node_id(text: object) -> bool:
    """Whether this can be the id of a node."""
    return isinstance(text, str) and _NODE_ID.fullmatch(text) is not None


def enrol(
    session: Session, keys: SigningKeys, node_id: str, wallet_id: int, values: dict[str, Any]
) -> RegisteredNode:
    """A new node of the wallet; `values` are further columns that were checked before.

    Raises ValidationError naming `node_id`, NotFoundError for the wallet.
    """
    if not is_node_id(node_id):
        raise ValidationError.of("node_id", BAD_NODE_ID)
    with unit_of_work(session):
        if session.get(Wallet, wallet_id) is None:
            raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
        if insert_once(session, Node, {"id": node_id, "wallet_id": wallet_id, **values}) is None:
            raise ValidationError.of("node_id", TAKEN_NODE_ID)
        key = issue_key(keys, node_id, wallet_id)
    return RegisteredNode(session.get_one(Node, node_id), key)


def issue_key(keys: SigningKeys, node_id: str, wallet_id: int) -> IssuedKey:
    """A new key for the node, with what a node may do."""
    scopes = [scope.value for scope in NODE_SCOPES]
    return keys.create(wallet_id, scopes, label=f"node {node_id}"[:64], node_id=node_id)
