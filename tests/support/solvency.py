"""Statements for tests that need no daemon: their coins lie at addresses whose keys are here."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.orm import Session

from tests.support.address_keys import REGTEST_VERSION, AddressKey
from webapp.domain.solvency import CoinsAt, Statement, Tree, message_of
from webapp.domain.solvency.signed_messages import MAGICS
from webapp.models import SolvencyLeaf, SolvencyStatement
from webapp.services.snapshot import snapshot
from webapp.services.solvency import liabilities, proofs, publish
from webapp.services.solvency.liabilities import Owed
from webapp.services.unit_of_work import unit_of_work

COLD_KEY = 999


def publish_without_daemon(
    session: Session,
    block_height: int = 100,
    *,
    addresses: int = 2,
    owed: list[Owed] | None = None,
    cold: int = 0,
    other: int = 0,
) -> SolvencyStatement:
    """A statement of what the database says is owed, covered to the unit by addresses that have signed it,
    besides base units in `cold` storage, which has not, and `other` coins."""
    with snapshot(session):
        leaves = liabilities.leaves_of(owed or liabilities.read(session))
    tree = Tree([owned.leaf.node for owned in leaves])
    keys = [AddressKey(number) for number in range(1, addresses + 1)]
    share, rest = divmod(tree.root.sum - cold - other, addresses)
    coins = tuple(CoinsAt(key.address, share + (rest if key is keys[0] else 0)) for key in keys)
    statement = Statement(
        network="regtest",
        made_at="2026-01-31T12:00:00Z",
        block_height=block_height,
        block_hash="ab" * 32,
        root=tree.root,
        coins=coins,
        other_coins=other,
        cold_storage=(CoinsAt(AddressKey(COLD_KEY).address, cold),) if cold else (),
        message_magic=MAGICS[0],
        address_version=REGTEST_VERSION,
    )
    message = message_of(statement)
    signatures = {key.address: key.sign(message, MAGICS[0]) for key in keys}
    with unit_of_work(session):
        kept = SolvencyStatement(
            block_height=block_height,
            block_hash=statement.block_hash,
            root_hash=tree.root.hash.hex(),
            liabilities=statement.liabilities,
            reserves=statement.reserves,
            document=statement.document(signatures, {}),
            subtrees=proofs.subtrees_of(tree),
        )
        session.add(kept)
        session.flush()
        rows = [publish.leaf_row(kept.id, position, owned) for position, owned in enumerate(leaves)]
        session.execute(insert(SolvencyLeaf), rows)
    return kept
