"""How to say things to this daemon: found out by asking which methods it knows, never by its version.

Two families are met: Flopcoin Core (as Bitcoin 0.14: one wallet, `signrawtransaction`, legacy addresses) and
0.21 daemons (wallet names, `signrawtransactionwithwallet`, addresses that are bech32 unless asked otherwise).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from webapp.domain.exceptions import RpcMethodNotFoundError, WalletIntegrationError
from webapp.services.wallet_rpc import WalletRpc

# Asked without the arguments they need, so that nothing is done: who knows them complains of that.
_PROBED = ("signrawtransactionwithwallet", "signrawtransaction", "getaddressinfo", "listwallets")


@dataclass(frozen=True)
class Dialect:
    """What the daemon understands. All later choices are made from this."""

    sign_method: str
    has_address_info: bool
    has_wallet_names: bool
    has_address_types: bool

    @property
    def name(self) -> str:
        """For people: which family it is like."""
        return "0.21-style" if self.has_address_types else "0.14-style"

    def new_address_params(self, label: str) -> list[Any]:
        """Arguments of `getnewaddress` for a legacy address."""
        return [label, "legacy"] if self.has_address_types else [label]

    def change_address_params(self) -> list[Any]:
        """Arguments of `getrawchangeaddress` for a legacy address."""
        return ["legacy"] if self.has_address_types else []

    def broadcast_params(self, transaction_hex: str) -> list[Any]:
        """Arguments of `sendrawtransaction` at any fee: what is stored was checked against our own maximum.

        A daemon that finds it too dear would keep its coins from everybody for ever.
        """
        any_fee = 0 if self.has_address_types else True
        return [transaction_hex, any_fee]

    @property
    def ownership_method(self) -> str:
        """The method whose answer has `ismine`."""
        return "getaddressinfo" if self.has_address_info else "validateaddress"

    def as_dict(self) -> dict[str, Any]:
        """For JSON output."""
        return {"name": self.name, **asdict(self)}


class DialectProbe:
    """Remembers the dialect until contact with the daemon is lost, then asks again. Thread-safe."""

    def __init__(self, rpc: WalletRpc) -> None:
        self._rpc = rpc
        self._lock = Lock()
        self._known: tuple[int, Dialect] | None = None

    def dialect(self) -> Dialect:
        """The daemon's dialect. Raises RpcUnavailableError, or WalletIntegrationError for one without wallet."""
        generation = self._rpc.generation
        with self._lock:
            if self._known is not None and self._known[0] == generation:
                return self._known[1]
        dialect = self._ask()
        with self._lock:
            # The generation from before asking: a loss meanwhile makes the next caller ask again.
            self._known = (generation, dialect)
        return dialect

    def _ask(self) -> Dialect:
        answers = self._rpc.batch_read([(method, []) for method in _PROBED])
        known = {
            method
            for method, answer in zip(_PROBED, answers, strict=True)
            if not isinstance(answer, RpcMethodNotFoundError)
        }
        signing = [method for method in _PROBED[:2] if method in known]
        if not signing:
            raise WalletIntegrationError(
                f"The coin daemon at {self._rpc.endpoint} runs without its wallet. "
                "Remove disablewallet=1 from its configuration, or install one that was built with a wallet."
            )
        return Dialect(
            sign_method=signing[0],
            has_address_info="getaddressinfo" in known,
            has_wallet_names="listwallets" in known,
            has_address_types="getaddressinfo" in known,
        )
