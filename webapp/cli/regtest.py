"""A chain of one's own for development: the service's daemon, and another one that mines and pays.

Coins arrive from a wallet that is not the service's, through the network, as they do in life.
"""

from __future__ import annotations

import socket
from pathlib import Path

from webapp.config import Settings
from webapp.domain.exceptions import RpcUnavailableError
from webapp.domain.money import Amount
from webapp.services.daemon.conf import Credentials, DaemonConf, ensure_conf
from webapp.services.daemon.rpc_connection import plain_secret
from webapp.services.daemon.setup import DaemonProcess, find_daemon

# Enough for mature coinbases worth several thousand coins.
FIRST_BLOCKS = 200


class RegtestNetwork:
    """Two daemons in the instance folder, connected to each other. Data is kept between runs."""

    def __init__(self, settings: Settings) -> None:
        folder = settings.instance_path / "regtest"
        binary = find_daemon(None, "regtest")
        known = Credentials(settings.rpc.user, plain_secret(settings.rpc.password))
        self.conf = _conf(folder / "service", settings.rpc.port, known)
        peer_port = free_port(self.conf.rpc_port + 2000)
        miner_conf = _conf(folder / "miner", self.conf.rpc_port + 1, known)
        self._miner = DaemonProcess(
            binary,
            miner_conf,
            "regtest",
            [
                "-listen=1",
                f"-bind=127.0.0.1:{peer_port}",
                "-whitelist=127.0.0.1",
                "-discover=0",
                "-dnsseed=0",
            ],
        )
        self._service = DaemonProcess(
            binary, self.conf, "regtest", [f"-connect=127.0.0.1:{peer_port}", "-discover=0", "-dnsseed=0"]
        )
        self._daemons = (self._miner, self._service)

    def start(self) -> None:
        """Start what does not run, with wallets and mature coins. Raises ConfigurationError."""
        for daemon in self._daemons:
            daemon.start()
            daemon.ensure_wallet()
        missing = FIRST_BLOCKS - int(self._miner.rpc.read("getblockcount"))
        # One new block at least: a daemon that has seen none for a day believes that it is still catching up.
        self.mine(max(missing, 1))

    def mine(self, blocks: int = 1) -> None:
        """Add blocks to the chain; their coins belong to the miner."""
        self._miner.rpc.change("generatetoaddress", blocks, self.new_outside_address())

    def mine_if_wanted(self, depth: int) -> bool:
        """Mine one block while a payment waits in the mempool or is less than `depth` blocks deep."""
        try:
            is_wanted = bool(self._miner.rpc.read("getrawmempool")) or self._has_young_payment(depth)
            if is_wanted:
                self.mine()
        except RpcUnavailableError:
            return False
        return is_wanted

    def send(self, address: str, amount: Amount) -> str:
        """Pay from the miner's wallet. Returns the txid."""
        return str(self._miner.rpc.change("sendtoaddress", address, amount))

    def new_outside_address(self) -> str:
        """An address that is not the service's."""
        return str(self._miner.rpc.change("getnewaddress", "", "legacy"))

    def stop(self) -> None:
        """Let both write their state and end."""
        for daemon in self._daemons:
            daemon.stop()

    def _has_young_payment(self, depth: int) -> bool:
        block_hash = self._miner.rpc.read("getbestblockhash")
        for _ in range(depth):
            block = self._miner.rpc.read("getblock", block_hash)
            if block["nTx"] > 1:
                return True
            if "previousblockhash" not in block:
                return False
            block_hash = block["previousblockhash"]
        return False


def free_port(wanted: int) -> int:
    """The port, or the next one above it that nobody listens on."""
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {wanted} on")


def _conf(datadir: Path, port: int, known: Credentials) -> DaemonConf:
    is_new = not datadir.exists()
    return ensure_conf(datadir, "regtest", free_port(port) if is_new else port, known)
