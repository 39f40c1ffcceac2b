"""Files under lock and key: each is encrypted with a key of its own, which the instance's secret box seals.

A stored file is the sealed key's length (two bytes), the sealed key, a nonce of 12 bytes, and AES-256-GCM over the
content and its stored name, so that no file can take the place of another. It is there as a whole before any row
names it: what a crash leaves behind is a file without a row, which housekeeping takes away.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from webapp.domain.exceptions import ConfigurationError
from webapp.services.secret_box import SecretBox

_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DRAFT = ".draft-"
_NONCE_BYTES = 12


class UnreadableFileError(Exception):
    """A stored file is gone, was changed, or cannot be opened; the text says which."""


class Vault:
    """The folder of one instance. Nobody but the service's own user may look into it."""

    def __init__(self, folder: Path, box: SecretBox) -> None:
        self._folder = folder
        self._box = box

    def store(self, data: bytes) -> str:
        """Put the content away, on the disk and not only on its way there; the name to ask for it by.

        Raises OSError when there is no room, and leaves nothing then.
        """
        name, key, nonce = secrets.token_hex(16), secrets.token_bytes(32), secrets.token_bytes(_NONCE_BYTES)
        sealed_key = self._box.seal(key.hex()).encode()
        sealed = AESGCM(key).encrypt(nonce, data, name.encode())
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f"{_DRAFT}{name}"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(len(sealed_key).to_bytes(2, "big") + sealed_key + nonce + sealed)
                stream.flush()
                os.fsync(stream.fileno())
            draft.rename(self._folder / name)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        self._settle()
        return name

    def open(self, name: str) -> bytes:
        """The content. Raises UnreadableFileError."""
        if not _NAME.fullmatch(name):
            raise UnreadableFileError("it has no name of the vault")
        try:
            stored = (self._folder / name).read_bytes()
        except OSError as error:
            raise UnreadableFileError(f"it cannot be read: {error.strerror}") from None
        at = 2 + int.from_bytes(stored[:2], "big")
        try:
            key = bytes.fromhex(self._box.open(stored[2:at].decode("ascii")))
            return AESGCM(key).decrypt(
                stored[at : at + _NONCE_BYTES], stored[at + _NONCE_BYTES :], name.encode()
            )
        except (InvalidTag, ValueError, ConfigurationError):
            raise UnreadableFileError("it was changed, or none of the keys opens it") from None

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        (self._folder / name).unlink(missing_ok=True)

    def older_than(self, seconds: float) -> Iterator[str]:
        """The names of files and drafts that were written longer ago than that."""
        if not self._folder.is_dir():
            return
        with os.scandir(self._folder) as entries:
            for entry in entries:
                is_ours = _NAME.fullmatch(entry.name.removeprefix(_DRAFT))
                if is_ours and entry.stat(follow_symlinks=False).st_mtime < time.time() - seconds:
                    yield entry.name

    def _settle(self) -> None:
        """Make the new name itself last: a folder has to be written out, too."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
