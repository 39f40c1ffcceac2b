"""What operators do about case files at a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner

from tests.support.databases import SqliteDatabases
from tests.support.evidence import add, disputed
from tests.support.people import make_pair
from webapp.domain.case_file.verification import verify


@pytest.fixture
def databases(sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only: the commands do not know which database they stand on."""
    return sqlite_databases


def test_a_case_file_is_written_and_its_key_rotated(
    runner: FlaskCliRunner, session, services, tmp_path: Path
) -> None:
    pair = make_pair(session, services)
    escrow = disputed(session, services, pair)
    add(session, services, pair.payer, escrow, "Look:", b"at this")
    made = runner.invoke(args=["case-file", "rotate-key", "--json"])
    key = json.loads(made.output)["public_key"]
    file = tmp_path / "case.zip"
    words = ["case-file", "write", str(escrow.id), str(file), "--json"]
    written = runner.invoke(args=words)
    assert written.exit_code == 0, written.output
    assert json.loads(written.output)["size"] == file.stat().st_size
    with file.open("rb") as stream:
        assert verify(stream, key).is_good
    again = runner.invoke(args=words)
    assert again.exit_code == 1
    assert "exists" in again.output
