"""`flask case-file`: case files for operators, and the keys that they are signed with."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.domain.case_file.manifest import public_key_of
from webapp.domain.exceptions import ValidationError
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.web.current import services

case_file_commands = DuxosGroup("case-file", help="Case files, and the keys that sign them.")


@case_file_commands.command("write")
@click.argument("escrow_id")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def write(escrow_id: str, file: Path, as_json: bool) -> None:
    """The case file of an escrow with all that an operator may see, into FILE, which must not be there yet."""
    made = services().case_files(db.session(), AT_TERMINAL).write(escrow_id)
    try:
        with made, file.open("xb") as target:
            shutil.copyfileobj(made, target)
    except OSError as error:
        raise ValidationError.of("file", f"cannot be written: {error.strerror}") from None
    emit({"escrow_id": escrow_id, "file": str(file), "size": file.stat().st_size}, as_json=as_json)


@case_file_commands.command("rotate-key")
@json_option
def rotate_key(as_json: bool) -> None:
    """Make a key that signs from now on. What older ones have signed stays good, and they stay published."""
    key = services().case_file_keys(db.session()).rotate()
    emit({"public_key": public_key_of(key)}, as_json=as_json)
