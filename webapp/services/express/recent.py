"""The escrows that this process has just made, or seen delivered: most are released a moment later, by the same client.

They are not looked up again. Whoever changes one says how he has seen it (its state, when it was changed last, the
last place on its trail), and the database refuses him when that is no longer so: to remember something that is out of
date costs a look, and nothing else.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict

from webapp.services.express.rows import Seen

MOST = 2_000
LARGEST_DOCUMENT = 4_096
# Members of the metadata: each takes ten times the room that its text does.
MOST_MEMBERS = 32
# What comes back from the database as it went in, to the letter; a number with a point may be written otherwise.
_PLAIN = (str, int, type(None))


class RecentEscrows:
    """The latest `MOST` small and plain ones. One for all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[uuid.UUID, Seen] = OrderedDict()

    def keep(self, seen: Seen, document_size: int) -> None:
        """Remember how an escrow is now; `document_size` is that of its document, in bytes or characters."""
        metadata = seen.escrow.task_metadata
        is_small = document_size <= LARGEST_DOCUMENT and len(metadata) <= MOST_MEMBERS
        if not is_small or not all(isinstance(value, _PLAIN) for value in metadata.values()):
            return
        with self._lock:
            self._seen[seen.escrow.id] = seen
            if len(self._seen) > MOST:
                self._seen.popitem(last=False)

    def take(self, escrow_id: uuid.UUID) -> Seen | None:
        """The escrow, for whoever is about to change it, and for nobody else."""
        with self._lock:
            return self._seen.pop(escrow_id, None)
