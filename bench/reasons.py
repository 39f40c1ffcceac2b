"""Why an aim is missed: a profile of what the target measures, by a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from bench.instance import Instance
from bench.targets import Measured, missed_aims
from tests.support.processes import temporary_folder

# What the interpreter is told for each target.
_PROFILES: Mapping[str, tuple[str, ...]] = {
    "mix_a": ("-m", "bench.profile", "--db", "postgres"),
    "mix_a_32": ("-m", "bench.profile", "--db", "postgres"),
    "batch": ("-m", "bench.batches"),
    "sqlite": ("-m", "bench.profile", "--db", "sqlite"),
    "settlement": ("-m", "bench.settlement", "--top", "30"),
    "deposits": ("-m", "bench.deposits", "--top", "30"),
}
_IMPORTS, _LONGEST = ("-X", "importtime", "-c", "import wsgi"), 25


def of(measured: Mapping[str, Measured]) -> list[str]:
    """A text for each profile that says why an aim is missed; of some targets there is none."""
    missed = missed_aims(measured)
    texts = [
        f"{' '.join(arguments)}\n\n{_run(arguments)}"
        for arguments in dict.fromkeys(_PROFILES[name] for name in missed if name in _PROFILES)
    ]
    return [*texts, f"The longest imports of wsgi:app\n\n{imports()}"] if "start" in missed else texts


def imports() -> str:
    """What takes most of a cold start: microseconds by itself, and with all that it imports."""
    folder = temporary_folder("bench-imports") / "instance"
    instance = Instance(folder, f"sqlite:///{folder / 'imports.db'}")
    instance.make_schema()
    lines = _run(_IMPORTS, DUXOS_INSTANCE_PATH=str(folder)).splitlines()
    timed = [line for line in lines if line.startswith("import time:") and "imported package" not in line]
    return "\n".join(sorted(timed, key=lambda line: -int(line.split("|")[1]))[:_LONGEST])


def _run(arguments: Sequence[str], **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout
