"""What the daemon's refusals mean, in the `exceptions` family. Knows no connection and asks nothing.

Two sorts arrive: JSON-RPC errors (a code and a message: the call was not carried out, unless it was an accident), and
HTTP answers that are not JSON. Of the latter only those are sure to have done nothing that the daemon gives before it
looks at the call: 401, 403, 503, and 500 with a full work queue.
"""

from __future__ import annotations

from webapp.domain.exceptions import (
    RpcAuthenticationError,
    RpcMethodNotFoundError,
    RpcOverloadedError,
    RpcRefusedError,
    RpcWarmingUpError,
    TransactionTooLargeError,
    WalletInsufficientFundsError,
    WalletIntegrationError,
    WalletLockedError,
)
from webapp.services.daemon.rpc_connection import HttpAnswer, RpcEndpoint

MISC_ERROR = -1
TYPE_ERROR = -3
WALLET_ERROR = -4
INVALID_ADDRESS_OR_KEY = -5
WALLET_INSUFFICIENT_FUNDS = -6
OUT_OF_MEMORY = -7
INVALID_PARAMETER = -8
WALLET_KEYPOOL_RAN_OUT = -12
WALLET_UNLOCK_NEEDED = -13
WALLET_PASSPHRASE_INCORRECT = -14
WALLET_NOT_FOUND = -18
DATABASE_ERROR = -20
VERIFY_ERROR = -25
VERIFY_REJECTED = -26
VERIFY_ALREADY_IN_CHAIN = -27
IN_WARMUP = -28
CLIENT_P2P_DISABLED = -31
METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603

_ACCIDENTS = (MISC_ERROR, OUT_OF_MEMORY, DATABASE_ERROR, INTERNAL_ERROR)
_ADVICE = {
    WALLET_KEYPOOL_RAN_OUT: "unlock the wallet and call keypoolrefill",
    WALLET_UNLOCK_NEEDED: "set wallet.passphrase, or unlock it with walletpassphrase",
    WALLET_PASSPHRASE_INCORRECT: "correct wallet.passphrase",
    WALLET_NOT_FOUND: "the daemon has no wallet loaded; `flask --app wsgi flopcoin setup` makes one",
}


def refusal(code: int, message: str, method: str, endpoint: RpcEndpoint) -> WalletIntegrationError:
    """The error for a JSON-RPC error. All but a warm-up are RpcRefusedError or one of its children."""
    said = first_line(message)
    if code == IN_WARMUP:
        return RpcWarmingUpError(f"The coin daemon at {endpoint} is starting: {said}")
    advice = f"; {_ADVICE[code]}" if code in _ADVICE else ""
    detail = f"The coin daemon refused {method}: {said} (code {code}){advice}"
    return _refusal_class(code, message.lower())(detail, code=code, method=method)


def _refusal_class(code: int, message: str) -> type[RpcRefusedError]:
    if code == WALLET_UNLOCK_NEEDED:
        return WalletLockedError
    if code == METHOD_NOT_FOUND:
        return RpcMethodNotFoundError
    if code in (WALLET_ERROR, WALLET_INSUFFICIENT_FUNDS):
        # Both codes are also used for dust, an empty recipient list and more: the words decide.
        if "insufficient funds" in message or "requires a transaction fee" in message:
            return WalletInsufficientFundsError
        if "transaction too large" in message:
            return TransactionTooLargeError
    return RpcRefusedError


def is_accident(code: int, message: str, method: str) -> bool:
    """Whether an error may have come in the middle of the work, so that it says nothing about what was done.

    A wrong argument is answered before the work, with the method's manual page, which begins with its name; that has
    the code of unexpected errors too.
    """
    return code in _ACCIDENTS and not (code == MISC_ERROR and message.startswith(method))


def http_refusal(answer: HttpAnswer, endpoint: RpcEndpoint) -> WalletIntegrationError | None:
    """The error for an HTTP answer that proves the call was not looked at; None when it proves nothing."""
    if answer.status == 401:
        return RpcAuthenticationError(
            f"The coin daemon at {endpoint} refused the RPC user or password. Compare rpc.user and "
            "rpc.password with rpcuser/rpcpassword or rpcauth in the daemon's configuration file."
        )
    if answer.status == 403:
        return RpcAuthenticationError(
            f"The coin daemon at {endpoint} does not accept calls from this machine. "
            "Add its address to rpcallowip in the daemon's configuration file."
        )
    if answer.status == 503 or b"work queue depth exceeded" in answer.body[:200].lower():
        return RpcOverloadedError(
            f"The coin daemon at {endpoint} has too many calls waiting, or is shutting down. "
            "Nothing was done; if it stays so, lower rpc.pool_size or raise the daemon's rpcworkqueue."
        )
    return None


def first_line(message: str) -> str:
    """The first line of what the daemon said: a wrong argument is answered with a manual page."""
    return message.strip().partition("\n")[0][:300]
