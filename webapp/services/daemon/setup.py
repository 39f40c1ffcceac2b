"""An installed daemon as a process: find it, start it, wait for its first answer, give it a wallet, end it.

Flopcoin Core is started on any network. On regtest Debian's litecoind, of the same family, may stand in for it.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from webapp.domain.exceptions import (
    ConfigurationError,
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
)
from webapp.services.daemon import rpc_errors
from webapp.services.daemon.circuit_breaker import CircuitBreaker
from webapp.services.daemon.conf import DaemonConf
from webapp.services.daemon.rpc_connection import RpcEndpoint
from webapp.services.wallet_rpc import WalletRpc

FLOPCOIND = "flopcoind"
# Not the wrapper in /usr/bin, which writes into the home directory.
LITECOIND = Path("/usr/lib/litecoin/litecoind")
START_SECONDS = 60.0
STOP_SECONDS = 60.0

_POLL_SECONDS = 0.05
_NETWORK_OPTION = {"main": [], "test": ["-testnet"], "regtest": ["-regtest"]}
# Litecoin's own upgrade is unknown to Flopcoin, its addresses are bech32 unless told otherwise, and it refuses a
# transaction of many payments, whose fee is above a tenth of a coin.
_LITECOIND_OPTIONS = ("-vbparams=mweb:-2:0", "-addresstype=legacy", "-changetype=legacy", "-maxtxfee=100")


def find_daemon(named: Path | None, network: str) -> Path:
    """The program to run: the one named, flopcoind on PATH, or on regtest litecoind.

    Raises ConfigurationError that says how to get one.
    """
    found = named or _installed(network)
    if found is None:
        hint = " For regtest, `apt-get install litecoind` is enough." if network == "regtest" else ""
        raise ConfigurationError(
            f"{FLOPCOIND} is not on PATH. Install Flopcoin Core, or name the program with --daemon.{hint}"
        )
    if not found.is_file():
        raise ConfigurationError(f"there is no program {found}")
    if not _is_litecoind(found):
        return found
    if network != "regtest":
        raise ConfigurationError(f"{found.name} is a daemon of another coin; it can stand in on regtest only")
    return LITECOIND if LITECOIND.is_file() else found


def _installed(network: str) -> Path | None:
    on_path = shutil.which(FLOPCOIND)
    if on_path is not None:
        return Path(on_path)
    return LITECOIND if network == "regtest" and LITECOIND.is_file() else None


def _is_litecoind(binary: Path) -> bool:
    return binary.name == LITECOIND.name


class DaemonProcess:
    """A daemon with its folder. It may have been started by somebody else before."""

    def __init__(self, binary: Path, conf: DaemonConf, network: str, options: Sequence[str] = ()) -> None:
        self.binary = binary
        self.datadir = conf.path.parent
        self.network = network
        endpoint = RpcEndpoint(
            port=conf.rpc_port,
            user=conf.credentials.user,
            password=conf.credentials.password,
            retry_attempts=0,
        )
        # Failing is what it does until the daemon is up; that must not slow the next try.
        self.rpc = WalletRpc(endpoint, circuit=CircuitBreaker(cooldown_seconds=0))
        self._conf = conf
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def console(self) -> Path:
        """Where it writes what it cannot write to its debug.log."""
        return self.datadir / "console.log"

    @property
    def pid(self) -> int | None:
        """The process that `start` made, if it did."""
        return self._process.pid if self._process else None

    def answers(self) -> bool:
        """Whether it can be called. False while it is down or starting; raises RpcAuthenticationError when
        something answers that does not know us."""
        try:
            self.rpc.read("getblockchaininfo")
        except RpcUnavailableError:
            return False
        return True

    def start(self, timeout_seconds: float = START_SECONDS) -> bool:
        """Start it unless it answers already, and wait until it does. Whether it had to be started.

        It goes on when this program ends, and Ctrl-C does not reach it. Raises ConfigurationError with its
        own words when it ends, or does not answer in time.
        """
        if self.answers():
            return False
        with self.console.open("wb") as console:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        give_up_at = time.monotonic() + timeout_seconds
        while not self.answers():
            if self._process.poll() is not None:
                raise ConfigurationError(f"{self.binary.name} did not start: {self._last_words()}")
            if time.monotonic() > give_up_at:
                raise ConfigurationError(
                    f"{self.binary.name} runs but did not answer on port {self._conf.rpc_port} within "
                    f"{timeout_seconds:g} seconds: see debug.log in {self.datadir}"
                )
            time.sleep(_POLL_SECONDS)
        return True

    def ensure_wallet(self) -> bool:
        """Load or make the default wallet if the dialect has wallet names and none is loaded."""
        answers = self.rpc.batch_read([("listwallets", [])])
        if isinstance(answers[0], RpcRefusedError) or answers[0]:
            return False
        try:
            self.rpc.change("createwallet", "")
        except RpcRefusedError as refused:
            if refused.code != rpc_errors.WALLET_ERROR:
                raise
            self.rpc.change("loadwallet", "")
        return True

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Let it write its state and end; end it by force when it takes too long. Fine when it is down."""
        try:
            self.rpc.change("stop")
        except (RpcUnavailableError, RpcUnknownOutcomeError):
            pass  # It is down, or ends before it has answered: both are what was asked for.
        finally:
            self.rpc.close()
        if self._process is not None:
            try:
                self._process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def leave_running(self) -> None:
        """Forget the process without ending it."""
        self.rpc.close()
        if self._process is not None:
            # To its finaliser a process without a return code is one that was forgotten by mistake.
            self._process.returncode = 0
            self._process = None

    def _command(self) -> list[str]:
        own = _LITECOIND_OPTIONS if _is_litecoind(self.binary) else ()
        return [
            str(self.binary),
            *_NETWORK_OPTION[self.network],
            f"-datadir={self.datadir.resolve()}",
            f"-conf={self._conf.path.resolve()}",
            f"-rpcport={self._conf.rpc_port}",
            "-printtoconsole=0",
            *own,
            *self._options,
        ]

    def _last_words(self) -> str:
        said = self.console.read_text(errors="replace").strip()
        return said.splitlines()[-1] if said else f"see debug.log in {self.datadir}"
