"""Where nodes are registered: here, or in a DuxNet registry that the settings name."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.services.node_directory.local import LocalDirectory
from webapp.services.node_directory.port import (
    DirectoryNode,
    DirectoryUnreachableError,
    NodeDirectory,
    NodeStatus,
)

__all__ = ["DirectoryNode", "DirectoryUnreachableError", "NodeDirectory", "NodeStatus", "directory_of"]


def directory_of(session: Session, settings: Settings) -> NodeDirectory:
    """The directory that airdrops go by: the one at `nodes.directory_url`, or ours if there is none."""
    if not settings.nodes.directory_url:
        return LocalDirectory(session, settings)
    # An HTTP client takes half a second to import, and most instances need none.
    from webapp.services.node_directory.duxnet import DuxnetDirectory

    return DuxnetDirectory(settings.nodes)
