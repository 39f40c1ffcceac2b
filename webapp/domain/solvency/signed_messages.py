"""Signatures by address, as a daemon's `signmessage` makes them: 65 bytes in base64, the key recovered from them."""

from __future__ import annotations

import base64
import binascii
import hashlib

from embit import base58, hashes
from embit.util import secp256k1

# What daemons of this family put before a message. A statement names one of them.
MAGICS = tuple(f"{coin} Signed Message:\n" for coin in ("Flopcoin", "Litecoin", "Dogecoin", "Bitcoin"))

_SIGNATURE_BYTES = 65
_FIRST_HEADER = 27
_COMPRESSED = 4
_HEADERS = 8


def is_signed_by(address: str, version: int, signature: str, message: str, magic: str) -> bool:
    """Whether the key of a P2PKH address, whose first byte is `version`, signed the message. Never raises."""
    try:
        payload = bytes(base58.decode_check(address))
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):
        return False
    # The last character of base64 has bits to spare: only one way to write a signature is good.
    if len(raw) != _SIGNATURE_BYTES or base64.b64encode(raw).decode() != signature:
        return False
    if payload[:1] != bytes([version]):
        return False
    return payload[1:] == _signer(raw, _digest(message, magic))


def find_magic(address: str, version: int, signature: str, message: str) -> str | None:
    """Which of the MAGICS the daemon used that made this signature, or None."""
    return next((m for m in MAGICS if is_signed_by(address, version, signature, message, m)), None)


def _signer(raw: bytes, digest: bytes) -> bytes | None:
    """HASH160 of the public key that made the signature, or None when there is no such key."""
    header = raw[0] - _FIRST_HEADER
    if not 0 <= header < _HEADERS:
        return None
    flag = secp256k1.EC_COMPRESSED if header & _COMPRESSED else secp256k1.EC_UNCOMPRESSED
    try:
        parsed = secp256k1.ecdsa_recoverable_signature_parse_compact(raw[1:], header & 3)
        key = secp256k1.ecdsa_recover(parsed, digest)
    except ValueError:
        return None
    return bytes(hashes.hash160(secp256k1.ec_pubkey_serialize(key, flag)))


def _digest(message: str, magic: str) -> bytes:
    content = b"".join(_with_length(part.encode()) for part in (magic, message))
    return hashlib.sha256(hashlib.sha256(content).digest()).digest()


def _with_length(content: bytes) -> bytes:
    # The chain's variable-length number; nothing signed here reaches its third form.
    size = len(content)
    return (bytes([size]) if size < 253 else b"\xfd" + size.to_bytes(2, "little")) + content
