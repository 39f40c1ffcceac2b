"""The signed list of what is in a case file: every entry bound to the one before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from webapp.domain.canonical import canonical_json, sha256_hex
from webapp.domain.solvency.reading import RefusedError, fields, hash_bytes, integer, items, text

FORMAT = "duxos-case-file-1"
NAME = "manifest.json"
GENESIS = "0" * 64
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a case file: its name, bytes, and SHA-256 in hex."""

    name: str
    size: int
    sha256: str


def public_key_of(key: Ed25519PrivateKey) -> str:
    """The 32 bytes of the public key, in hex: how a key is named everywhere."""
    return key.public_key().public_bytes_raw().hex()


def signed_manifest(escrow_id: str, entries: Iterable[Entry], key: Ed25519PrivateKey) -> dict[str, Any]:
    """The manifest of these entries, in their order, with its signature."""
    listed, previous = [], GENESIS
    for entry in entries:
        previous = _chained(previous, entry)
        listed.append({"name": entry.name, "size": entry.size, "sha256": entry.sha256, "chained": previous})
    manifest = {
        "format": FORMAT,
        "escrow_id": escrow_id,
        "entries": listed,
        "head": previous,
        "public_key": public_key_of(key),
    }
    return manifest | {"signature": key.sign(_message(manifest)).hex()}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest whose chain and signature are right. Whose key it is, is for the reader to ask."""

    escrow_id: str
    entries: list[Entry]
    head: str
    public_key: str


def read_manifest(document: object) -> Manifest:
    """Check the form, the chain and the signature of a parsed manifest. Raises RefusedError."""
    found = fields(
        document, "the manifest", "format", "escrow_id", "entries", "head", "public_key", "signature"
    )
    form, escrow_id, listed, head, public_key, signature = found
    if form != FORMAT:
        raise RefusedError("the manifest is of a format that is not known here")
    entries, previous = [], GENESIS
    for item in items(listed, "entries"):
        name, size, sha256, chained = fields(item, "an entry", "name", "size", "sha256", "chained")
        entry = Entry(text(name, "name"), integer(size, "size"), hash_bytes(sha256, "sha256").hex())
        previous = _chained(previous, entry)
        if chained != previous:
            raise RefusedError(f"the manifest's chain is broken at {entry.name}")
        entries.append(entry)
    if head != previous:
        raise RefusedError("the manifest's head is not the end of its chain")
    _check_signature(document, hash_bytes(public_key, "public_key"), signature)
    return Manifest(text(escrow_id, "escrow_id"), entries, head, public_key)


def _check_signature(document: Any, public_key: bytes, signature: object) -> None:
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    try:
        given = bytes.fromhex(signature) if isinstance(signature, str) else b""
        if len(given) != _SIGNATURE_BYTES:
            raise ValueError
        Ed25519PublicKey.from_public_bytes(public_key).verify(given, _message(unsigned))
    except (ValueError, InvalidSignature):
        raise RefusedError("the signature is not of this key, or not of this manifest") from None


def _chained(previous: str, entry: Entry) -> str:
    return sha256_hex({"previous": previous, "name": entry.name, "size": entry.size, "sha256": entry.sha256})


def _message(unsigned: dict[str, Any]) -> bytes:
    return FORMAT.encode() + b"\n" + canonical_json(unsigned)
