"""The project keeps its own house rules: what is in it, how long, how pinned, and nothing that must stay private."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WEBAPP = ROOT / "webapp"
LONGEST_MODULE_LINES = 300
TARGETS = {"run", "test", "check", "fix", "faults", "bench", "migrate", "lock", "screenshots", "clean"}
PRIVATE_NAMES = re.compile(
    r"(\.db(-wal|-shm)?|\.sqlite3?|\.pem|\.key|wallet\.dat|secrets\.yaml|^config\.yaml|^\.env)$"
)
PRIVATE_TEXT = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
LOCKS = ["requirements.txt", "requirements-dev.txt"]


def project_files() -> list[Path]:
    """What is in git or would be with `git add --all`."""
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    return sorted(WEBAPP.rglob("*.py"))


def pins(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Each requirement of a lock with its version and hashes."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    found = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)(.*)$", text, re.MULTILINE)
    return {
        name: (version, frozenset(re.findall(r"--hash=(sha256:\w+)", rest))) for name, version, rest in found
    }


def test_nothing_private_is_in_the_project() -> None:
    files = project_files()
    assert [path for path in files if PRIVATE_NAMES.search(path.name)] == []
    assert [path for path in files if PRIVATE_TEXT.search(path.read_bytes())] == []
    kept = {path.name for path in files if path.parent == ROOT / "instance"}
    assert kept <= {"config.example.yaml"}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pins(lock)) == len(lines)
    assert [name for name, (_, hashes) in pins(lock).items() if not hashes] == []
    assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_chosen_requirement_is_in_the_lock(lock: str) -> None:
    lines = (ROOT / lock.replace(".txt", ".in")).read_text().splitlines()
    chosen = {re.split(r"[\[<>=~! ]", line, maxsplit=1)[0] for line in lines if re.match(r"\w", line)}
    assert {name.lower() for name in chosen} <= pins(lock).keys()


def test_tests_run_on_the_very_versions_that_run() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


def test_no_module_is_long() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in modules() if "versions" not in path.parts}
    too_long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > LONGEST_MODULE_LINES}
    assert too_long == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in modules() if path.read_text().strip() and not ast.get_docstring(_parsed(path))]
    assert silent == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {
        path.parent for path in modules() if path.parent.name != "versions" and "migrations" not in path.parts
    }
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_vendored_files_are_those_of_the_lock() -> None:
    vendor = ROOT / "static" / "vendor"
    locked: dict[str, str] = {}
    for package in json.loads((vendor / "vendor.lock").read_text()):
        assert package["name"] and package["version"] and package["licence"]
        locked |= package["files"]
    present = {
        str(path.relative_to(vendor)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.name != "vendor.lock"
    }
    assert present == locked


def test_pages_load_nothing_from_elsewhere() -> None:
    loads = re.compile(
        r"""<(?:script|img|iframe|link|source|video|audio)\b[^>]*(?:src|href)=["'](?:https?:)?//""", re.I
    )
    assert [path for path in (ROOT / "templates").rglob("*.html") if loads.search(path.read_text())] == []
    sheets = [
        path
        for path in (ROOT / "static").glob("*.css")
        if re.search(r"url\(['\"]?(https?:)?//", path.read_text())
    ]
    assert sheets == []


def test_make_help_lists_what_can_be_made() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = set(re.findall(r"^  make ([a-z]+)  +\S", shown.stdout, re.MULTILINE))
    assert listed >= TARGETS


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
