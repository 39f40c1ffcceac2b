"""Changes to config.yaml by a program: one section is replaced, every other line stays as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from webapp.services.daemon.conf import write_private


def update_section(file: Path, section: str, values: dict[str, Any]) -> bool:
    """Set keys of a section, keep its other keys, and say whether anything had to change.

    Comments inside the section are lost. The file is made if missing; it becomes mode 0600, since
    passwords are among what is written.
    """
    text = file.read_text() if file.exists() else ""
    present = (yaml.safe_load(text) or {}).get(section) or {}
    merged = {**present, **values}
    if merged == present:
        return False
    write_private(file, _replaced(text, section, yaml.safe_dump({section: merged}, sort_keys=False)))
    return True


def _replaced(text: str, section: str, block: str) -> str:
    lines = text.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line.startswith(f"{section}:")]
    if not starts:
        separator = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{separator}{block}"
    end = starts[0] + 1
    while end < len(lines) and lines[end][:1] in (" ", "\t"):
        end += 1
    return "".join([*lines[: starts[0]], block, *lines[end:]])
