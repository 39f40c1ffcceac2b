"""Writing a case file: entry by entry, none of them compressed, the signed manifest last."""

from __future__ import annotations

import hashlib
import json
import zipfile
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from webapp.domain.case_file.manifest import NAME, Entry, signed_manifest

# The first moment that a ZIP can name. When a case file was made is nobody's proof; the audit trail has the times.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16


class Package:
    """A case file that is being written to a stream, which has to be seekable."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=False)
        self._entries: list[Entry] = []

    def add(self, name: str, data: bytes) -> None:
        """One more entry. Raises LargeZipFile beyond 4 GiB."""
        self._entries.append(Entry(name, len(data), hashlib.sha256(data).hexdigest()))
        self._write(name, data)

    def finish(self, escrow_id: str, key: Ed25519PrivateKey) -> None:
        """Sign what was added, and close the file."""
        self._write(NAME, readable_json(signed_manifest(escrow_id, self._entries, key)))
        self._zip.close()

    def _write(self, name: str, data: bytes) -> None:
        info = zipfile.ZipInfo(name, _NO_TIME)
        info.external_attr = _READABLE_FILE
        info.create_system = 3  # the same wherever it is made
        self._zip.writestr(info, data, zipfile.ZIP_STORED)


def readable_json(document: dict[str, Any]) -> bytes:
    """JSON for people: indented, in a fixed order, so that the same content has the same bytes."""
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
