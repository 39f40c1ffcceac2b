"""The Merkle-sum tree: who holds a leaf and its path can tell that the leaf is counted in the sum at the root."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from .reading import LARGEST_SUM, RefusedError

NONCE_BYTES = 32
LONGEST_LABEL = 64
DEEPEST = 40

_SUM_BYTES = 8
_LEAF_TAG = b"duxos-solvency-leaf-1\x00"
_NODE_TAG = b"duxos-solvency-node-1\x00"


@dataclass(frozen=True, slots=True)
class Node:
    """A hash and the base units under it. Raises RefusedError for a sum that is negative or beyond 63 bits."""

    hash: bytes
    sum: int

    def __post_init__(self) -> None:
        if not 0 <= self.sum <= LARGEST_SUM:
            raise RefusedError("a sum in the tree is negative, or more than can exist")


EMPTY = Node(hashlib.sha256(b"duxos-solvency-empty-1\x00").digest(), 0)


@dataclass(frozen=True)
class Leaf:
    """A part of a balance. The nonce of 32 bytes is a secret: without it nobody can guess label and amount."""

    label: str
    amount: int
    nonce: bytes

    @cached_property
    def node(self) -> Node:
        """The leaf as the tree has it. Raises RefusedError when a part has not its form."""
        label = self.label.encode()
        if len(self.nonce) != NONCE_BYTES or len(label) > LONGEST_LABEL:
            raise RefusedError("a leaf needs a nonce of 32 bytes and a label of at most 64")
        # Lengths are fixed or stated, so that no two leaves are the same bytes.
        content = self.nonce + len(label).to_bytes(2, "big") + label + _sum_bytes(self.amount)
        return Node(hashlib.sha256(_LEAF_TAG + content).digest(), self.amount)


class Tree:
    """All levels above some nodes, in the order given. Raises RefusedError when the sums do not fit.

    With a `height` it has that many levels above them at least, as a block of leaves has inside a larger tree.
    """

    def __init__(self, nodes: Sequence[Node], height: int = 0) -> None:
        self._levels = [list(nodes) or [EMPTY]]
        while len(self._levels[-1]) > 1 or len(self._levels) <= height:
            level = self._levels[-1]
            if len(level) % 2:
                level.append(EMPTY)
            self._levels.append([_join(level[i], level[i + 1]) for i in range(0, len(level), 2)])

    @property
    def root(self) -> Node:
        """The node over everything."""
        return self._levels[-1][0]

    @property
    def height(self) -> int:
        """How many levels are above the lowest."""
        return len(self._levels) - 1

    def level(self, height: int) -> list[Node]:
        """The nodes that many levels above the lowest."""
        return self._levels[height]

    def path(self, position: int) -> list[Node]:
        """The neighbours of the lowest node at `position` and of what is above it, from the bottom up."""
        return [level[(position >> height) ^ 1] for height, level in enumerate(self._levels[:-1])]


def climb(leaf: Leaf, position: int, path: Sequence[Node]) -> Node:
    """The root that follows from a leaf, its place and its path. Raises RefusedError for sums or places beyond bounds.

    The place alone says on which side each neighbour stands: two leaves of different places are different leaves.
    """
    if len(path) > DEEPEST or not 0 <= position < 2 ** len(path):
        raise RefusedError("a leaf has a place outside the tree")
    node = leaf.node
    for height, neighbour in enumerate(path):
        is_right = (position >> height) & 1
        node = _join(neighbour, node) if is_right else _join(node, neighbour)
    return node


def in_order(leaves: Iterable[Leaf]) -> list[Leaf]:
    """The leaves by their hashes: no place tells whose it is, or when its owner came."""
    return sorted(leaves, key=lambda leaf: leaf.node.hash)


def _join(left: Node, right: Node) -> Node:
    content = left.hash + _sum_bytes(left.sum) + right.hash + _sum_bytes(right.sum)
    return Node(hashlib.sha256(_NODE_TAG + content).digest(), left.sum + right.sum)


def _sum_bytes(amount: int) -> bytes:
    if not 0 <= amount <= LARGEST_SUM:
        raise RefusedError("an amount in the tree is negative, or more than can exist")
    return amount.to_bytes(_SUM_BYTES, "big")
