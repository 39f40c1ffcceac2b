"""Keys of addresses outside any daemon, as the holder of cold storage has them."""

from __future__ import annotations

import base64
import hashlib

from embit import base58, ec
from embit.util import secp256k1

REGTEST_VERSION = 111


class AddressKey:
    """A key made of a small number, its regtest address, and what it signs."""

    def __init__(self, secret: int) -> None:
        self._key = ec.PrivateKey(secret.to_bytes(32, "big"))
        public_hash = hashlib.new("ripemd160", hashlib.sha256(self._key.sec()).digest()).digest()
        self.address: str = base58.encode_check(bytes([REGTEST_VERSION]) + public_hash)

    def sign(self, message: str, magic: str) -> str:
        """What `signmessage` of a daemon with this magic would answer."""
        content = bytes([len(magic)]) + magic.encode() + bytes([len(message)]) + message.encode()
        digest = hashlib.sha256(hashlib.sha256(content).digest()).digest()
        made = secp256k1.ecdsa_sign_recoverable(digest, self._key.secret)
        compact, number = secp256k1.ecdsa_recoverable_signature_serialize_compact(made)
        return base64.b64encode(bytes([31 + number]) + compact).decode()
