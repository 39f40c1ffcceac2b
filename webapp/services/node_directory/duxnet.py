"""A DuxNet registry as a directory: `GET /nodes` and `GET /nodes/{id}` below `nodes.directory_url`.

The list is a JSON array of nodes, or {"nodes": [...]}. There may be more pages: `next_cursor` is sent back as
`?cursor=`, `next` is followed as a link, and null or missing means that this was the last one. `entries` says how one
node is read.
"""

from __future__ import annotations

from typing import Any

import httpx

from webapp.config.sections import NodeSettings
from webapp.services.node_directory.conversation import Conversation, conversation
from webapp.services.node_directory.entries import read_entries, read_entry
from webapp.services.node_directory.memory import Memory
from webapp.services.node_directory.port import DirectoryNode
from webapp.services.nodes.enrolment import is_node_id

MOST_PAGES = 1000
NODES = "/nodes"

_memories: dict[str, Memory] = {}


class DuxnetDirectory:
    """Asks over the network: never inside a unit of work. What it answers is remembered in this process."""

    def __init__(self, settings: NodeSettings) -> None:
        self._url = settings.directory_url
        self._timeout_seconds = settings.directory_timeout
        self._max_age_seconds = settings.directory_cache_seconds
        self._memory = _memories.setdefault(self._url, Memory())

    def list_nodes(self, fresh: bool = False) -> tuple[DirectoryNode, ...]:
        """All nodes. Raises DirectoryUnreachableError unless every page could be read."""
        return self._memory.answer(NODES, self._max_age_seconds, fresh, self._list)

    def find(self, node_id: str, fresh: bool = False) -> DirectoryNode | None:
        """One node; None if the registry does not know it or what it says cannot be read."""
        if not is_node_id(node_id):
            return None
        path = f"{NODES}/{node_id}"
        # Each node is a question of its own: pages of many nodes must not wait for a registry that is out of reach.
        return self._memory.answer(
            path,
            self._max_age_seconds,
            fresh,
            lambda: self._find(path, node_id),
            fails_with_others=True,
        )

    def _find(self, path: str, node_id: str) -> DirectoryNode | None:
        with conversation(self._url, self._timeout_seconds) as talk:
            document = talk.get(talk.url(path))
        return None if document is None else read_entry(document, node_id)

    def _list(self) -> tuple[DirectoryNode, ...]:
        entries: list[Any] = []
        with conversation(self._url, self._timeout_seconds) as talk:
            url: httpx.URL | None = talk.url(NODES)
            asked: set[httpx.URL] = set()
            while url is not None:
                if url in asked or len(asked) == MOST_PAGES:
                    talk.fail("its list of nodes has no end")
                asked.add(url)
                document = talk.get(url)
                entries += _entries(talk, document)
                url = _next_page(talk, url, document)
        return read_entries(entries)


def _entries(talk: Conversation, document: Any) -> list[Any]:
    entries = document.get("nodes") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        talk.fail("its answer is not a list of nodes")
    return entries


def _next_page(talk: Conversation, url: httpx.URL, document: Any) -> httpx.URL | None:
    if not isinstance(document, dict):
        return None
    cursor, link = document.get("next_cursor"), document.get("next")
    if cursor is not None:
        return talk.url(NODES).copy_set_param("cursor", str(cursor))
    return None if link is None else talk.join(url, str(link))
