"""An owner's proof: the leaves of their own balance with the hashes and sums on the way up, and the statement.

Nothing in it is anybody else's but hashes and sums. Nonces of one's own leaves are in it, of others' never.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.exceptions import NotFoundError
from webapp.domain.said import said
from webapp.domain.solvency import Leaf, Node, Tree
from webapp.domain.solvency.reading import flop
from webapp.domain.solvency.verification import KINDS, PROOF_FORMAT
from webapp.models import SolvencyLeaf, SolvencyStatement
from webapp.services.solvency.liabilities import owner_of

# 256 leaves: a proof reads the blocks of its own leaves, and one node for each of the others.
BLOCK_HEIGHT = 8


def wallets_in(session: Session, statement_id: int, wallet_ids: frozenset[int]) -> set[int]:
    """Which of these wallets have a proof in a statement: they owned something then, and the leaves are still kept."""
    one = SolvencyLeaf
    statement = select(one.wallet_id).where(one.statement_id == statement_id, one.wallet_id.in_(wallet_ids))
    return {wallet_id for wallet_id in session.scalars(statement.distinct()) if wallet_id is not None}


def proof_of(session: Session, statement: SolvencyStatement, wallet_id: int) -> dict[str, Any]:
    """The document that `python -m webapp.domain.solvency verify` checks. Raises NotFoundError.

    Whoever calls has made sure that the wallet is the reader's.
    """
    own = select(SolvencyLeaf).where(
        SolvencyLeaf.statement_id == statement.id, SolvencyLeaf.wallet_id == wallet_id
    )
    leaves = list(session.scalars(own.order_by(SolvencyLeaf.position)))
    if not leaves:
        raise NotFoundError(
            said(
                "wallet {wallet_id} held nothing at that time, or the proofs are kept no longer",
                wallet_id=wallet_id,
            )
        )
    amounts: Counter[str] = Counter()
    for leaf in leaves:
        amounts[leaf.label.split(":")[-2]] += leaf.amount
    paths = _paths(session, statement, [leaf.position for leaf in leaves])
    return {
        "format": PROOF_FORMAT,
        "owner": owner_of(wallet_id),
        "balance": flop(amounts.total()),
        **{kind: flop(amounts[kind]) for kind in KINDS},
        "leaves": [_leaf_json(leaf, paths[leaf.position]) for leaf in leaves],
        "document": statement.document,
    }


def subtrees_of(tree: Tree) -> list[tuple[str, int]]:
    """What a statement keeps of its tree: hash and sum of the node over each block of leaves."""
    return [(node.hash.hex(), node.sum) for node in tree.level(min(BLOCK_HEIGHT, tree.height))]


def _leaf_json(leaf: SolvencyLeaf, path: list[Node]) -> dict[str, Any]:
    return {
        "label": leaf.label,
        "amount": flop(leaf.amount),
        "nonce": leaf.nonce,
        "position": leaf.position,
        "path": [{"hash": node.hash.hex(), "sum": flop(node.sum)} for node in path],
    }


def _paths(session: Session, statement: SolvencyStatement, positions: list[int]) -> dict[int, list[Node]]:
    above = Tree([Node(bytes.fromhex(hashed), amount) for hashed, amount in statement.subtrees])
    # In a tree of one block the block is no higher than its leaves need.
    height = BLOCK_HEIGHT if above.height else 0
    blocks = {
        number: Tree(_block(session, statement.id, number), height)
        for number in sorted({position >> BLOCK_HEIGHT for position in positions})
    }
    found = {}
    for position in positions:
        number, place = divmod(position, 1 << BLOCK_HEIGHT)
        found[position] = blocks[number].path(place) + above.path(number)
    return found


def _block(session: Session, statement_id: int, number: int) -> list[Node]:
    one, first = SolvencyLeaf, number << BLOCK_HEIGHT
    rows = session.execute(
        select(one.label, one.amount, one.nonce)
        .where(
            one.statement_id == statement_id,
            one.position >= first,
            one.position < first + (1 << BLOCK_HEIGHT),
        )
        .order_by(one.position)
    )
    return [Leaf(row.label, row.amount, bytes.fromhex(row.nonce)).node for row in rows]
