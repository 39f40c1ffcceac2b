"""Checking a case file. Plain sentences come out; the first thing that is wrong ends it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import IO, Any

from webapp.domain.case_file.archive import Archive
from webapp.domain.case_file.evidence import FOLDER, check_evidence
from webapp.domain.case_file.ledger import check_ledger
from webapp.domain.case_file.manifest import NAME, Entry, Manifest, read_manifest
from webapp.domain.case_file.trail import check_trail
from webapp.domain.escrow_states import Status
from webapp.domain.exact_json import read_json, storable
from webapp.domain.solvency.reading import RefusedError, flop, load, text

CASE = "case.json"
CASE_FORMAT = "duxos-case-1"
_LARGEST_JSON = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lines` say what was checked. `doubts` are what the file alone cannot settle."""

    is_good: bool
    lines: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def verify(stream: IO[bytes], key: str | None = None) -> Verdict:
    """The verdict on a case file. `key` is the public key that must have signed it. Never raises for its content."""
    lines: list[str] = []
    doubts: list[str] = []
    try:
        _verify(stream, key, lines, doubts)
    except RefusedError as refused:
        return Verdict(False, [*lines, f"REFUSED: {refused}."])
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        # Parts that are not of the form that they have in a genuine one.
        return Verdict(False, [*lines, f"REFUSED: {CASE} does not have the form of a case."])
    return Verdict(True, lines, doubts)


def _verify(stream: IO[bytes], key: str | None, lines: list[str], doubts: list[str]) -> None:
    archive = Archive(stream)
    manifest = _check_manifest(archive, key, lines, doubts)
    entries = _check_files(archive, manifest, lines)
    case = _read_case(archive, manifest.escrow_id)
    escrow = case["escrow"]
    events = check_trail(case.get("audit_trail"), escrow)
    lines.append(
        f"Audit trail: {len(events)} events, each bound to the one before, the last on "
        f"{_printable(events[-1]['created_at'])}; it tells that the escrow is {escrow['status'].value}."
    )
    sums = check_ledger(case.get("ledger"), escrow)
    lines.append(
        f"Ledger: it balances. Of {_printable(escrow['amount'])} FLOP, {flop(sums.held)} are held, "
        f"{flop(sums.provider)} went to the provider, {flop(sums.fund)} to the community fund, "
        f"{flop(sums.payer)} back to the payer."
    )
    _check_evidence(case, manifest.escrow_id, events, entries, lines, doubts)


def _check_manifest(archive: Archive, key: str | None, lines: list[str], doubts: list[str]) -> Manifest:
    manifest = read_manifest(load(_utf8(archive.read(NAME, _LARGEST_JSON), NAME)))
    lines.append(f"Escrow {manifest.escrow_id}. Signed by the key {manifest.public_key}.")
    if key is None:
        doubts.append(
            "whether this key is the service's: compare it with the page /case-files, or name it with --key"
        )
    elif key.lower() != manifest.public_key:
        raise RefusedError(f"it was signed by another key than {_printable(key)}")
    else:
        lines.append("That is the key that you have named.")
    return manifest


def _check_files(archive: Archive, manifest: Manifest, lines: list[str]) -> dict[str, Entry]:
    listed = [entry.name for entry in manifest.entries]
    if [*listed, NAME] != list(archive.members):
        raise RefusedError("the files are not those that the manifest lists, in that order")
    for entry in manifest.entries:
        if archive.members[entry.name].size != entry.size or archive.sha256(entry.name) != entry.sha256:
            raise RefusedError(f"{entry.name} was changed after it was signed")
    lines.append(f"Files: {len(listed)}, each of the size and SHA-256 that was signed.")
    return {entry.name: entry for entry in manifest.entries}


def _read_case(archive: Archive, escrow_id: str) -> dict[str, Any]:
    try:
        case = storable(read_json(archive.read(CASE, _LARGEST_JSON)))
    except (ValueError, RecursionError):
        raise RefusedError(f"{CASE} is not a JSON document") from None
    if not isinstance(case, dict) or case.get("format") != CASE_FORMAT:
        raise RefusedError(f"{CASE} is of a format that is not known here")
    escrow = case.get("escrow")
    if not isinstance(escrow, dict) or escrow.get("id") != escrow_id or not _is_uuid(escrow_id):
        raise RefusedError("the escrow is not the one of the manifest")
    try:
        escrow["status"] = Status(escrow["status"])
    except (KeyError, ValueError):
        raise RefusedError("the escrow is in no known state") from None
    return case


def _check_evidence(
    case: dict[str, Any],
    escrow_id: str,
    events: list[dict[str, Any]],
    entries: dict[str, Entry],
    lines: list[str],
    doubts: list[str],
) -> None:
    if "evidence" not in case:
        if any(name.startswith(FOLDER) for name in entries):
            raise RefusedError("there are files of evidence, and no list of it")
        doubts.append("the evidence: it is not in this file, which was made for somebody who may not read it")
        return
    found = check_evidence(case["evidence"], escrow_id, events, entries)
    lines.append(
        f"Evidence: {found.items} items with {found.files} files, each of them the one that the audit trail names."
    )
    doubts.extend(
        f"the file of item {number} of the evidence: the service could not read it when the case file was made"
        for number in found.omitted
    )


def _is_uuid(value: str) -> bool:
    try:
        return str(uuid.UUID(value)) == value
    except ValueError:
        return False


def _utf8(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise RefusedError(f"{name} is not UTF-8") from None


def _printable(value: object) -> str:
    """A word from the file, if it is nothing that a terminal would obey. Raises RefusedError."""
    return text(value, "a time, an amount or a key")
