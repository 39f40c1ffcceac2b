"""Instance folders for tests: a config.yaml with what a test wants, and quiet values where it does not care."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.support.daemon import RegtestDaemon

Sections = dict[str, dict[str, Any]]

CLOSED_PORT = 1  # nobody listens there: a test without a daemon sees one that is down, at once

QUIET: Sections = {
    "rpc": {"port": CLOSED_PORT, "user": "nobody", "password": "nothing", "retry_attempts": 0, "timeout": 10},
    "security": {"enable_rate_limiting": False, "password_memory_kib": 32, "password_rounds": 1},
    "wallet": {
        "network": "regtest",
        "confirmations_required": 2,
        "payout_confirmations": 2,
        "address_pool_size": 3,
    },
    "worker": {"tick_seconds": 1},
}


def write_config(folder: Path, *layers: Sections) -> Path:
    """Write `folder`/config.yaml from `QUIET` and the layers over it, the last one winning key by key; its path."""
    merged: Sections = {}
    for layer in (QUIET, *layers):
        for section, values in layer.items():
            merged[section] = {**merged.get(section, {}), **values}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(merged))
    return path


def rpc_section(daemon: RegtestDaemon) -> Sections:
    """The settings that lead to a daemon."""
    return {"rpc": {"port": daemon.rpc_port, "user": daemon.rpc_user, "password": daemon.rpc_password}}
