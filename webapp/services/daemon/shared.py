"""One connection pool per daemon in this process, whoever asks for it."""

from __future__ import annotations

from webapp.config import RpcSettings, Settings, WalletSettings
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.wallet_rpc import WalletRpc

_wallets: dict[tuple[RpcSettings, WalletSettings], DaemonWallet] = {}


def daemon_for(settings: Settings) -> DaemonWallet:
    """The daemon's wallet that these settings speak of. Nothing is sent yet."""
    key = (settings.rpc, settings.wallet)
    if key not in _wallets:
        _wallets[key] = DaemonWallet(WalletRpc(settings.rpc), settings.wallet)
    return _wallets[key]


def forget_daemons() -> None:
    """Hang up, and forget what was learnt of each daemon: its dialect, and that it was out of reach."""
    while _wallets:
        _wallets.popitem()[1].rpc.close()
