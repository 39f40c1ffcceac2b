"""Which addresses are payable on which network: base58 version bytes, and sentences for what is wrong.

Version bytes are those of Flopcoin Core. A regtest daemon of the same family writes P2SH with version 58.
Witness (bech32) addresses are refused everywhere: SegWit is never active on the main network, where such
an output is lost. This module decides by the text alone; whether anybody holds the key it cannot know.
"""

from __future__ import annotations

import re
from typing import Final

from embit import base58

from webapp.domain.exceptions import InvalidAddressError
from webapp.domain.said import said

P2PKH_VERSIONS: Final = {"main": 35, "test": 56, "regtest": 111}
P2SH_VERSIONS: Final = {"main": (22,), "test": (76,), "regtest": (196, 58)}
WIF_VERSIONS: Final = (158, 184, 239)
NETWORKS: Final = tuple(P2PKH_VERSIONS)

_HASH_BYTES = 20
_LONGEST = 64
# Human-readable part, separator "1", data of the bech32 alphabet; one case only.
_BECH32 = re.compile(r"[a-z]{1,10}1[02-9ac-hj-np-z]{6,}", re.ASCII)


def check_address(address: str, network: str, field: str = "address") -> None:
    """Accept a P2PKH or P2SH address of `network` (main, test, regtest); else raise InvalidAddressError.

    The error's sentence says what is wrong and `fields` carries it under `field`. The text is never
    echoed: what was pasted may be a private key.
    """
    problem = _problem(address, network)
    if problem is not None:
        raise InvalidAddressError(f"{field}: {problem}", fields={field: problem})


def is_address(address: str, network: str) -> bool:
    """Whether `check_address` would accept it."""
    return _problem(address, network) is None


def first_address(network: str, *candidates: str | None) -> str | None:
    """The first of the texts that is an address of the network; None if none is."""
    return next((each for each in candidates if each and is_address(each, network)), None)


def destination(address: str) -> bytes:
    """What an address pays, the same for each of its spellings (P2SH on regtest has two).

    A text that is no address stands for itself.
    """
    payload = _decode(address)
    if not payload:
        return address.encode()
    homes = (versions for versions in P2SH_VERSIONS.values() if payload[0] in versions)
    return bytes(next(homes, payload)[:1]) + payload[1:]


def _problem(address: str, network: str) -> str | None:
    if not address:
        return said("an address is required")
    if address != address.strip():
        return said("has spaces around it")
    if looks_like_witness(address):
        return said(
            "is a SegWit (bech32) address; SegWit is never active on the main network, so coins "
            "sent there would be lost. Use an address that begins with F on the main network"
        )
    payload = _decode(address) if len(address) <= _LONGEST else None
    if payload is None:
        return said("is not a valid address: a character is wrong or missing (the checksum does not match)")
    return _version_problem(payload, network)


def looks_like_witness(address: str) -> bool:
    """Whether the text has the form of a bech32 address and is not base58check by chance."""
    one_case = address.lower() if address in (address.lower(), address.upper()) else ""
    if not _BECH32.fullmatch(one_case):
        return False
    return len(address) > _LONGEST or _decode(address) is None


def _decode(address: str) -> bytes | None:
    try:
        return bytes(base58.decode_check(address))
    except ValueError:
        return None


def _version_problem(payload: bytes, network: str) -> str | None:
    version, rest = payload[0] if payload else -1, payload[1:]
    if version in WIF_VERSIONS and len(rest) in (32, 33):
        return said("is a private key, not an address; never paste it anywhere, and move the coins it holds")
    if len(rest) != _HASH_BYTES:
        return said("is not an address of this chain")
    homes = _networks_of(version)
    if network in homes:
        return None
    if homes:
        return said(
            "belongs to {names}, and this service runs on {network}",
            names=" or ".join(map(_title, homes)),
            network=_title(network),
        )
    return said("is not an address of this chain (version byte {version})", version=version)


def _networks_of(version: int) -> list[str]:
    return [n for n in NETWORKS if version == P2PKH_VERSIONS[n] or version in P2SH_VERSIONS[n]]


def _title(network: str) -> str:
    return {"main": "mainnet", "test": "testnet"}.get(network, network)
