"""A real daemon of the Flopcoin family on regtest, with a folder and ports of its own."""

from __future__ import annotations

import secrets
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.support import rpc
from tests.support.processes import end, free_port, spawn, wait_until

BINARY = Path(
    "/usr/lib/litecoin/litecoind"
)  # not the wrapper in /usr/bin, which writes into the home directory
_WARMING_UP = -28
_OPTIONS = (
    "-regtest", "-server", "-listen", "-printtoconsole=0", "-fallbackfee=0.01",
    "-dnsseed=0", "-discover=0", "-upnp=0", "-listenonion=0", "-dbcache=16", "-par=1", "-keypool=20",
    "-whitelist=127.0.0.1",  # a trusted peer is told of a transaction at once, not within seconds
    "-debugexclude=libevent", "-rpcworkqueue=64", "-rpcservertimeout=120",
    "-maxtxfee=100",  # Flopcoin's own default; this daemon's is a tenth of a coin
)  # fmt: skip


class RegtestDaemon:
    """One daemon. `start` returns when it answers; the data and the ports stay the same across restarts."""

    def __init__(self, datadir: Path, *options: str) -> None:
        self.datadir = datadir
        self.rpc_port = free_port()
        self.p2p_port = free_port()
        self.rpc_user = "duxos"
        self.rpc_password = secrets.token_hex(16)
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process exists; a paused one does."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; only a started daemon has one."""
        assert self._process is not None, "the daemon was not started"
        return self._process.pid

    def start(self, *options: str) -> RegtestDaemon:
        """Start and wait until calls are answered. `options` add to the usual ones for this start only."""
        assert not self.is_running, "the daemon runs already"
        self.datadir.mkdir(parents=True, exist_ok=True)
        self._process = spawn([*self._command(), *self._options, *options], log=self.datadir / "console.log")
        wait_until(self._answers, "the daemon's first answer")
        return self

    def stop(self) -> None:
        """Let it write its state and end (about a second); fine when it does not run."""
        if self._process is not None:
            end(self._process, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what was not on the disk is gone, as after a power cut."""
        if self._process is not None:
            end(self._process, signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start; locks on outputs are forgotten, wallets are loaded again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: the kernel accepts connections and nobody answers, which makes callers time out."""
        assert self._process is not None, "the daemon was not started"
        self._process.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{self._process.pid}/stat")
        wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "the pause")

    def resume(self) -> None:
        """Undo `pause`."""
        assert self._process is not None, "the daemon was not started"
        self._process.send_signal(signal.SIGCONT)

    def rpc(self, method: str, *params: Any) -> Any:
        """Call the daemon; see `tests.support.rpc.call` for what is returned and raised."""
        return rpc.call(self.rpc_port, self.rpc_user, self.rpc_password, method, params)

    def rpc_in_turn(self, *calls: tuple[Any, ...]) -> list[Any]:
        """Several calls, (method, *parameters), in one exchange; see `tests.support.rpc.call_in_turn`."""
        return rpc.call_in_turn(self.rpc_port, self.rpc_user, self.rpc_password, calls)

    def _command(self) -> list[str]:
        return [
            str(BINARY), *_OPTIONS, f"-datadir={self.datadir}",
            f"-rpcport={self.rpc_port}", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1",
            f"-rpcuser={self.rpc_user}", f"-rpcpassword={self.rpc_password}",
            f"-port={self.p2p_port}", f"-bind=127.0.0.1:{self.p2p_port}",
        ]  # fmt: skip

    def _answers(self) -> bool:
        if not self.is_running:
            said = (self.datadir / "console.log").read_text()
            raise RuntimeError(f"the daemon ended while starting: {said[-2000:]}")
        try:
            self.rpc("getblockcount")
        except OSError:
            return False
        except rpc.RpcRefusedError as refused:
            if refused.code != _WARMING_UP:
                raise
            return False
        return True
