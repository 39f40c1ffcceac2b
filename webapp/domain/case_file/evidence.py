"""The evidence in a case file: its own chain, its place on the audit trail, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webapp.domain.case_file.manifest import Entry
from webapp.domain.evidence.chain import AUDIT_KIND, GENESIS, item_hash
from webapp.domain.solvency.reading import RefusedError, fields, items

FOLDER = "evidence/"
_ITEM = ("number", "side", "text", "file", "created_at", "previous_hash", "hash", "path", "omitted")
_FILE = ("name", "media_type", "size", "sha256")


@dataclass(frozen=True, slots=True)
class FoundEvidence:
    """How many items and files there are, and the numbers of those whose file was left out."""

    items: int
    files: int
    omitted: list[int]


def check_evidence(
    listed: object, escrow_id: str, events: list[dict[str, Any]], entries: Mapping[str, Entry]
) -> FoundEvidence:
    """Compare the items with the audit trail and the files, both ways. Raises RefusedError."""
    told = [event["detail"] for event in events if event["kind"] == AUDIT_KIND]
    previous, used, omitted = GENESIS, set(), []
    found = items(listed, "the evidence")
    for number, value in enumerate(found, 1):
        item = dict(zip(_ITEM, fields(value, f"item {number} of the evidence", *_ITEM), strict=True))
        if item["number"] != number or item["previous_hash"] != previous:
            raise RefusedError(f"the evidence is broken at item {number}: one was taken out or put in")
        if item["file"] is not None:
            fields(item["file"], f"the file of item {number}", *_FILE)
        if item_hash(escrow_id, item) != item["hash"]:
            raise RefusedError(f"item {number} of the evidence was changed")
        if number > len(told) or _told(told[number - 1]) != (number, item["side"], item["hash"]):
            raise RefusedError(f"item {number} of the evidence is not the one on the audit trail")
        previous = item["hash"]
        if item["omitted"] is not None and item["file"] is not None and item["path"] is None:
            omitted.append(number)
        elif item["file"] is not None:
            used.add(_check_file(number, item, entries))
        elif item["path"] is not None:
            raise RefusedError(f"item {number} of the evidence names a file that it does not have")
    if len(told) != len(found):
        raise RefusedError(
            f"the audit trail tells of {len(told)} items of evidence, and {len(found)} are here"
        )
    if extra := sorted(name for name in entries if name.startswith(FOLDER) and name not in used):
        raise RefusedError(f"{extra[0]} belongs to no item of the evidence")
    return FoundEvidence(len(found), len(used), omitted)


def _told(detail: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return detail.get("number"), detail.get("side"), detail.get("evidence_hash")


def _check_file(number: int, item: dict[str, Any], entries: Mapping[str, Entry]) -> str:
    path = item["path"]
    entry = entries.get(path) if isinstance(path, str) and path.startswith(f"{FOLDER}{number:04d}.") else None
    if entry is None:
        raise RefusedError(f"the file of item {number} of the evidence is missing")
    if (entry.size, entry.sha256) != (item["file"]["size"], item["file"]["sha256"]):
        raise RefusedError(f"{path} is not the file that was handed in as item {number} of the evidence")
    return entry.name
