"""The port: which nodes there are, as whoever keeps the registry tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from webapp.domain.exceptions import DuxosError
from webapp.domain.said import said

NodeStatus = Literal["active", "offline", "suspended"]


class DirectoryUnreachableError(DuxosError):
    """The registry of nodes gave no answer that can be relied on; the detail says why, in plain words."""

    status = 503
    slug = "directory-unreachable"
    title = said("The registry of nodes is out of reach")


@dataclass(frozen=True, slots=True)
class DirectoryNode:
    """A node as its registry knows it.

    `reputation` is 0 to 1000, or None if the registry says nothing about it. `wallet_address` is where the node would
    be paid on the chain, as the registry wrote it: nobody has checked yet that it can be paid. None means that the
    node wants nothing on the chain, or that the registry knows no address.
    """

    node_id: str
    status: NodeStatus
    reputation: int | None
    wallet_address: str | None


class NodeDirectory(Protocol):
    """A registry of nodes.

    An answer is whole or it is an error: a part of the nodes is never passed off as all of them. Nodes come in the
    order of their ids, each once. A registry elsewhere is asked over the network: never call it inside a unit of work.
    """

    def list_nodes(self, fresh: bool = False) -> Sequence[DirectoryNode]:
        """All nodes. An answer may be as old as the settings allow; with `fresh` it is always asked for anew, and
        what was known before is no substitute. Raises DirectoryUnreachableError.
        """
        ...

    def find(self, node_id: str, fresh: bool = False) -> DirectoryNode | None:
        """One node, or None if the registry does not know it. Raises DirectoryUnreachableError."""
        ...
