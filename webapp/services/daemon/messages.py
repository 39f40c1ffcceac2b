"""Texts signed by the wallet's addresses: proof that it can spend what they hold. Both dialects have it alike."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.domain.exceptions import RpcRefusedError
from webapp.services.daemon import rpc_errors
from webapp.services.daemon.wallet import DaemonWallet

BATCH = 100
# A script, another wallet's address, or a key that is not here: such an address signs nothing.
_CANNOT_SIGN = (rpc_errors.TYPE_ERROR, rpc_errors.INVALID_ADDRESS_OR_KEY, rpc_errors.WALLET_ERROR)


def sign_text(daemon: DaemonWallet, addresses: Sequence[str], text: str) -> dict[str, str]:
    """Signatures in base64, by address; addresses that cannot sign are left out.

    Raises WalletLockedError, and a WalletIntegrationError when the daemon is out of reach.
    """
    signed: dict[str, str] = {}
    if not addresses:
        return signed
    with daemon.unlocked():
        for start in range(0, len(addresses), BATCH):
            part = addresses[start : start + BATCH]
            answers = daemon.rpc.batch_read([("signmessage", [address, text]) for address in part])
            for address, answer in zip(part, answers, strict=True):
                if not isinstance(answer, RpcRefusedError):
                    signed[address] = answer
                elif answer.code not in _CANNOT_SIGN:
                    raise answer
    return signed


def is_signed(daemon: DaemonWallet, address: str, signature: str, text: str) -> bool:
    """Whether the daemon finds that the address signed the text; any address of the network may be asked for."""
    try:
        return bool(daemon.rpc.read("verifymessage", address, signature, text))
    except RpcRefusedError as refused:
        if refused.code not in _CANNOT_SIGN:
            raise
        return False
