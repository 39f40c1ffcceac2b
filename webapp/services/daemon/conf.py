"""flopcoin.conf: what a daemon must be told so that this service can use it, and who may ask it.

The password is in the file only as a salted hash (`rpcauth`), as the daemon's own rpcauth.py writes it. A file that
exists is the operator's: it is kept, and at most a line is put before it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CONF_FILE = "flopcoin.conf"
_NETWORK_SWITCH = {"main": [], "test": ["testnet=1"], "regtest": ["regtest=1"]}


@dataclass(frozen=True)
class Credentials:
    """Who may call the daemon."""

    user: str
    password: str = field(repr=False)

    @classmethod
    def generate(cls, user: str) -> Credentials:
        """A new password of 256 random bits."""
        return cls(user, secrets.token_urlsafe(32))

    def rpcauth(self) -> str:
        """The value of a new `rpcauth` line: `user:salt$hash`."""
        salt = secrets.token_hex(16)
        return f"{self.user}:{salt}${_hashed(salt, self.password)}"

    def match_rpcauth(self, line: str) -> bool:
        """Whether an `rpcauth` value lets these credentials in."""
        user, _, rest = line.partition(":")
        salt, _, expected = rest.partition("$")
        return user == self.user and hmac.compare_digest(_hashed(salt, self.password), expected)


@dataclass(frozen=True)
class DaemonConf:
    """A configuration file, and what is needed to call the daemon that reads it."""

    path: Path
    credentials: Credentials
    rpc_port: int


def ensure_conf(datadir: Path, network: str, rpc_port: int, known: Credentials) -> DaemonConf:
    """Make `datadir`/flopcoin.conf with new credentials, or let us into the one that is there.

    `known` are the credentials of the present settings: when an existing file accepts them, nothing is
    written. Its rpcport wins over the one asked for. New files have mode 0600, new folders 0700.
    """
    path = datadir / CONF_FILE
    if not path.exists():
        datadir.mkdir(mode=0o700, parents=True, exist_ok=True)
        credentials = Credentials.generate(known.user)
        write_private(path, _new_conf(network, rpc_port, credentials))
        return DaemonConf(path, credentials, rpc_port)
    text = path.read_text()
    port = _port_of(text, network) or rpc_port
    if _accepts(text, network, known):
        return DaemonConf(path, known, port)
    credentials = Credentials.generate(known.user)
    write_private(path, f"# For DuxOS Escrow.\nrpcauth={credentials.rpcauth()}\n\n{text}")
    return DaemonConf(path, credentials, port)


def write_private(path: Path, text: str) -> None:
    """Put the text in place of the file, whole or not at all, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(path)


def _new_conf(network: str, rpc_port: int, credentials: Credentials) -> str:
    lines = [
        "# The coin daemon of DuxOS Escrow. Its password is in the `rpc` section of config.yaml.",
        *_NETWORK_SWITCH[network],
        "server=1",
        f"rpcauth={credentials.rpcauth()}",
        "rpcallowip=127.0.0.1",
        "fallbackfee=0.01",
        f"rpcport={rpc_port}",
    ]
    if network != "main":
        # Daemons of the 0.14 family read the port above, later ones in the network's section.
        lines += ["", f"[{network}]", f"rpcport={rpc_port}"]
    if network == "regtest":
        lines.append("listen=0")
    return "\n".join(lines) + "\n"


def _accepts(text: str, network: str, known: Credentials) -> bool:
    settings = list(_settings(text, network))
    if any(key == "rpcauth" and known.match_rpcauth(value) for key, value in settings):
        return True
    plain = dict(settings)
    return (plain.get("rpcuser"), plain.get("rpcpassword")) == (known.user, known.password)


def _port_of(text: str, network: str) -> int | None:
    ports = [value for key, value in _settings(text, network) if key == "rpcport" and value.isdecimal()]
    return int(ports[-1]) if ports else None


def _settings(text: str, network: str) -> Iterator[tuple[str, str]]:
    """Keys and values that hold for the network: those before any section, and those in its own."""
    section = network
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
        elif "=" in stripped and not stripped.startswith("#") and section == network:
            key, _, value = stripped.partition("=")
            yield key.strip(), value.strip()


def _hashed(salt: str, password: str) -> str:
    return hmac.new(salt.encode(), password.encode(), hashlib.sha256).hexdigest()
