"""Third-party malleation: the same transaction under another id, as any miner can make it on this chain."""

from __future__ import annotations

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_SCRIPT_SIG = 41  # after version (4), input count (1), outpoint (36): its length is one byte for P2PKH


def malleated(signed_hex: str) -> str:
    """The transaction with its first signature's S replaced by N - S: as valid, spends and pays the same.

    Only for transactions whose first input is P2PKH, without witness.
    """
    raw = bytes.fromhex(signed_hex)
    length = raw[_SCRIPT_SIG]
    script = raw[_SCRIPT_SIG + 1 : _SCRIPT_SIG + 1 + length]
    signature, rest = script[1 : 1 + script[0]], script[1 + script[0] :]
    twin = _with_other_s(signature)
    new_script = bytes([len(twin)]) + twin + rest
    return (raw[:_SCRIPT_SIG] + bytes([len(new_script)]) + new_script + raw[_SCRIPT_SIG + 1 + length :]).hex()


def _with_other_s(signature: bytes) -> bytes:
    """DER `30 len 02 len R 02 len S` and the byte that says what is signed."""
    r_length = signature[3]
    r = signature[4 : 4 + r_length]
    s_length = signature[5 + r_length]
    s = int.from_bytes(signature[6 + r_length : 6 + r_length + s_length], "big")
    other = _ORDER - s
    encoded = other.to_bytes(other.bit_length() // 8 + 1, "big")  # a leading zero byte keeps it positive
    body = bytes([2, r_length]) + r + bytes([2, len(encoded)]) + encoded
    return bytes([0x30, len(body)]) + body + signature[-1:]
