"""An environment of its own for a peer, made of its package from the registry."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from tests.support.processes import temporary_folder


class NotInstalledError(RuntimeError):
    """The package cannot be installed with this Python; the message has the installer's last words."""


def python_with(*packages: str) -> Path:
    """The interpreter of a new environment with these packages. Raises NotInstalledError."""
    folder = temporary_folder("peer", is_on_disk=True)
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        raise NotInstalledError(f"{' '.join(packages)} with {version}: {done.stderr.strip()[-300:]}")
    return python
