"""Case files: a genuine one is recognised with nothing but the file, and each way of forging one is found."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.evidence import PDF
from webapp import ROOT
from webapp.domain.audit_chain import GENESIS, event_hash
from webapp.domain.case_file.__main__ import main
from webapp.domain.case_file.manifest import public_key_of
from webapp.domain.case_file.package import Package, readable_json
from webapp.domain.case_file.verification import Verdict, verify
from webapp.domain.evidence.chain import item_hash

ESCROW = "0198c3f2-8d4e-7a1b-9c3d-5e6f708192a3"
AT = "2030-01-02T03:04:05Z"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
FILES = {"evidence/0002.pdf": PDF, "evidence/0003.txt": b"The order was 1024 pixels."}

Case = dict[str, Any]


def posting(source: str, destination: str, amount: str) -> dict[str, str]:
    return {"source": source, "destination": destination, "amount": amount}


def entry(kind: str, *postings: dict[str, str]) -> dict[str, Any]:
    key = f"escrow:{ESCROW}:{kind}"
    return {"key": key, "kind": f"escrow_{kind}", "created_at": AT, "postings": list(postings)}


def item(number: int, side: str, text: str, path: str | None = None) -> dict[str, Any]:
    file = None
    if path is not None:
        data = FILES[path]
        file = {
            "name": f"shown{Path(path).suffix}",
            "media_type": "application/pdf" if path.endswith("pdf") else "text/plain",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    return {
        "number": number, "side": side, "text": text, "file": file, "created_at": AT, "path": path, "omitted": None
    }  # fmt: skip


def chain(case: Case) -> Case:
    """The case with every hash in it made anew, as a forger would do it who knows all but the key."""
    previous = GENESIS
    for each in case.get("evidence", []):
        each["previous_hash"] = previous
        previous = each["hash"] = item_hash(ESCROW, each)
    told = {each["number"]: each["hash"] for each in case.get("evidence", [])}
    previous = GENESIS
    for event in case["audit_trail"]:
        if event["kind"] == "evidence_added" and event["detail"]["number"] in told:
            event["detail"]["evidence_hash"] = told[event["detail"]["number"]]
        event["previous_hash"] = previous
        previous = event["hash"] = event_hash(event)
    return case


def genuine() -> Case:
    """100 FLOP that were disputed and divided: 38 to the provider, 2 to the fund, 60 back."""
    kinds: list[tuple[str, str | None, dict[str, Any]]] = [
        (
            "created",
            "100.00000000",
            {
                "payer_wallet_id": 7,
                "provider_wallet_id": 8,
                "provider_amount": "95.00000000",
                "community_amount": "5.00000000",
            },
        ),
        ("disputed", "100.00000000", {"reason": "It is too small", "ratio": 0.625}),
        *[
            ("evidence_added", None, {"number": number, "side": side, "evidence_hash": ""})
            for number, side in ((1, "payer"), (2, "provider"), (3, "payer"))
        ],
        ("resolved", "100.00000000", {"by": "ruling"}),
    ]
    trail = [
        {
            "escrow_id": ESCROW,
            "sequence": number,
            "kind": kind,
            "actor": "user:1",
            "amount": amount,
            "detail": detail,
            "created_at": AT,
        }
        for number, (kind, amount, detail) in enumerate(kinds, 1)
    ]
    return chain(
        {
            "format": "duxos-case-1",
            "made_for": "payer",
            "escrow": {
                "id": ESCROW,
                "status": "resolved",
                "amount": "100.00000000",
                "provider_amount": "95.00000000",
                "community_amount": "5.00000000",
                "resolved_provider_amount": "38.00000000",
                "resolved_community_amount": "2.00000000",
                "payer_wallet_id": 7,
                "provider_wallet_id": 8,
                "deposited_amount": None,
            },
            "audit_trail": trail,
            "ledger": [
                entry("create", posting("available:7", "held:7", "100.00000000")),
                entry(
                    "resolve",
                    posting("held:7", "available:8", "38.00000000"),
                    posting("held:7", "fund", "2.00000000"),
                    posting("held:7", "available:7", "60.00000000"),
                ),
            ],
            "evidence": [
                item(1, "payer", "It is 640 pixels wide."),
                item(2, "provider", "The bill", "evidence/0002.pdf"),
                item(3, "payer", "", "evidence/0003.txt"),
            ],
        }
    )


def packed(case: Case, files: dict[str, bytes] | None = None, key: Ed25519PrivateKey = KEY) -> bytes:
    stream = io.BytesIO()
    package = Package(stream)
    package.add("README.txt", b"Read me")
    for name, data in (FILES if files is None else files).items():
        package.add(name, data)
    package.add("case.json", readable_json(case))
    package.finish(ESCROW, key)
    return stream.getvalue()


def judged(data: bytes, key: str | None = None) -> Verdict:
    return verify(io.BytesIO(data), key)


def changed(change: Callable[[Case], object], *, is_chained: bool = False) -> Case:
    case = genuine()
    change(case)
    return chain(case) if is_chained else case


def put(*path: Any, value: Any) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        part: Any = case
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value

    return change


def test_a_genuine_one_verifies_in_a_fresh_interpreter_that_knows_no_settings(tmp_path: Path) -> None:
    file = tmp_path / "case.zip"
    file.write_bytes(packed(genuine()))
    key = public_key_of(KEY)
    command = [sys.executable, "-m", "webapp.domain.case_file", "verify", str(file), "--key", key]
    environment = {"PYTHONPATH": str(ROOT), "DUXOS_INSTANCE_PATH": str(tmp_path / "nowhere"), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"Escrow {ESCROW}. Signed by the key {key}.",
        "That is the key that you have named.",
        "Files: 4, each of the size and SHA-256 that was signed.",
        f"Audit trail: 6 events, each bound to the one before, the last on {AT}; it tells that the escrow is resolved.",
        "Ledger: it balances. Of 100.00000000 FLOP, 0.00000000 are held, 38.00000000 went to the provider, 2.00000000 "
        "to the community fund, 60.00000000 back to the payer.",
        "Evidence: 3 items with 2 files, each of them the one that the audit trail names.",
        "GENUINE",
    ]
    assert not (tmp_path / "nowhere").exists()


def test_the_command_says_what_is_wrong_and_that_a_file_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "case.zip"
    monkeypatch.setattr(sys, "argv", ["case_file", "verify", str(file)])
    assert main() == 2
    file.write_bytes(packed(genuine()).replace(b"640 pixels", b"960 pixels"))
    assert main() == 1
    assert capsys.readouterr().out.endswith(
        "REFUSED: case.json was changed after it was signed.\nNOT GENUINE\n"
    )
    file.write_bytes(packed(genuine()))
    assert main() == 0
    assert "NOT CHECKED: whether this key is the service's" in capsys.readouterr().out


def test_the_same_content_has_the_same_bytes_and_what_cannot_be_checked_is_said() -> None:
    assert packed(genuine()) == packed(genuine())
    verdict = judged(packed(genuine()))
    assert verdict.is_good
    assert ["--key" in doubt for doubt in verdict.doubts] == [True]
    without = changed(lambda case: case.pop("evidence"))
    verdict = judged(packed(without, {}), public_key_of(KEY))
    assert verdict.is_good
    assert ["may not read it" in doubt for doubt in verdict.doubts] == [True]

    def leave_out(case: Case) -> None:
        case["evidence"][1] |= {"path": None, "omitted": "damaged"}

    files = {"evidence/0003.txt": FILES["evidence/0003.txt"]}
    verdict = judged(packed(changed(leave_out), files), public_key_of(KEY))
    assert verdict.is_good
    assert ["item 2" in doubt for doubt in verdict.doubts] == [True]


def bond(name: str, source: str, destination: str, amount: str = "3.00000000") -> dict[str, Any]:
    """An entry about the bond of who opened the dispute."""
    return {
        **entry(name, posting(source, destination, amount)),
        "key": f"dispute:1:{name}",
        "kind": f"dispute_{name}",
    }


def test_a_bond_is_no_part_of_the_amount() -> None:
    def leave_a_bond(case: Case) -> None:
        case["ledger"].append(bond("bond", "available:7", "held:7"))
        case["ledger"].append(bond("bond_return", "held:7", "available:7"))

    assert judged(packed(changed(leave_a_bond))).is_good


def rehash(case: Case) -> None:
    """The chain of the evidence made anew, the audit trail as it was."""
    previous = GENESIS
    for each in case["evidence"]:
        each["previous_hash"] = previous
        previous = each["hash"] = item_hash(ESCROW, each)


# Forgeries of somebody who can sign: with another key, or because the service itself lies.
FORGERIES: dict[str, tuple[Case, str]] = {
    "an event changed": (changed(put("audit_trail", 1, "detail", "reason", value="x")), "event 2 .* was changed"),
    "an event taken out": (changed(lambda case: case["audit_trail"].pop(1)), "broken at event 2"),
    "an event taken out, all renumbered": (
        changed(
            lambda case: [
                case["audit_trail"].pop(2),
                [each.update(sequence=number) for number, each in enumerate(case["audit_trail"], 1)],
            ],
            is_chained=True,
        ),
        "item 1 of the evidence is not the one on the audit trail",
    ),
    "an event put in": (
        changed(lambda case: case["audit_trail"].insert(1, copy.deepcopy(case["audit_trail"][1]))),
        "broken at event 3",
    ),
    "events exchanged": (
        changed(lambda case: case["audit_trail"].insert(1, case["audit_trail"].pop(2))), "broken at event 2"
    ),
    "the end cut off": (changed(lambda case: case["audit_trail"].pop()), "does not tell it"),
    "the beginning cut off": (changed(lambda case: case["audit_trail"].pop(0)), "broken at event 1"),
    "an event of another escrow": (
        changed(put("audit_trail", 1, "escrow_id", value=ESCROW.replace("0198", "0199")), is_chained=True),
        "another escrow",
    ),
    "no trail": (changed(put("audit_trail", value=[])), "does not begin"),
    "another end": (
        changed(put("audit_trail", 1, "kind", value="released"), is_chained=True), "tells another end"
    ),
    "another amount": (changed(put("escrow", "amount", value="90.00000000")), "not the one that it was created with"),
    "another provider": (changed(put("escrow", "provider_wallet_id", value=9)), "created with"),
    "another state": (changed(put("escrow", "status", value="active")), "tells another end"),
    "no state": (changed(put("escrow", "status", value="gone")), "no known state"),
    "another escrow": (changed(put("escrow", "id", value="0")), "not the one of the manifest"),
    "another format": (changed(put("format", value="duxos-case-9")), "format"),
    "no escrow": (changed(lambda case: case.pop("escrow")), "not the one of the manifest"),
    "an escrow without parts": (changed(lambda case: case["escrow"].pop("provider_amount")), "created with"),
    "a trail of words": (changed(put("audit_trail", 0, value="created")), "exactly these fields"),
    "a detail of words": (changed(put("audit_trail", 0, "detail", value="x"), is_chained=True), "form of a case"),
    "more for the provider": (
        changed(put("ledger", 1, "postings", 0, "amount", value="39.00000000")), "FLOP must be held"
    ),
    "paid to another": (
        changed(put("ledger", 1, "postings", 0, "destination", value="available:9")), "paid to the provider"
    ),
    "a posting in a circle": (changed(put("ledger", 1, "postings", 0, "destination", value="held:7")), "not balance"),
    "a posting of nothing": (changed(put("ledger", 1, "postings", 0, "amount", value="0.00000000")), "not balance"),
    "a negative posting": (changed(put("ledger", 1, "postings", 0, "amount", value="-38.00000000")), "eight decimals"),
    "a bond of somebody else": (
        changed(lambda case: case["ledger"].append(bond("bond", "available:9", "held:9"))), "nothing to do with it"
    ),
    "more of a bond than was held": (
        changed(lambda case: case["ledger"].append(bond("bond_loss", "held:7", "fund"))), "more was given back"
    ),
    "an entry twice": (
        changed(lambda case: case["ledger"].append(copy.deepcopy(case["ledger"][1]))), "stands twice"
    ),
    "an entry missing": (changed(lambda case: case["ledger"].pop(0)), "FLOP must be held"),
    "no division": (changed(lambda case: case["ledger"].pop(1)), "FLOP must be held"),
    "other parts": (changed(put("escrow", "resolved_provider_amount", value="40.00000000")), "must be paid to the"),
    "evidence changed": (changed(put("evidence", 0, "text", value="It is 1024 wide")), "item 1 .* was changed"),
    "evidence of the other side": (changed(put("evidence", 0, "side", value="provider")), "item 1 .* was changed"),
    "evidence changed, all chained": (
        changed(lambda case: [put("evidence", 0, "text", value="x")(case), rehash(case)]), "not the one on the audit"
    ),
    "evidence taken out": (
        changed(lambda case: case["evidence"].pop()), "tells of 3 items of evidence, and 2 are here"
    ),
    "evidence exchanged": (
        changed(lambda case: case["evidence"].insert(0, case["evidence"].pop(1))), "broken at item 1"
    ),
    "a file renamed": (changed(put("evidence", 1, "file", "name", value="x.exe")), "item 2 .* was changed"),
    "another's file": (changed(put("evidence", 1, "path", value="evidence/0003.txt")), "item 2 .* is missing"),
    "no file": (changed(put("evidence", 1, "path", value=None)), "item 2 .* is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_case_that_contradicts_itself_is_refused_whoever_has_signed_it(name: str) -> None:
    case, reason = FORGERIES[name]
    verdict = judged(packed(case), public_key_of(KEY))
    assert not verdict.is_good
    assert verdict.lines[-1].startswith("REFUSED: ")
    assert re.search(reason, verdict.lines[-1]), verdict.lines[-1]


def with_manifest(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A genuine one with its manifest exchanged; nothing is signed anew."""
    source = zipfile.ZipFile(io.BytesIO(packed(genuine())))
    manifest = json.loads(source.read("manifest.json"))
    change(manifest)
    members = {name: source.read(name) for name in source.namelist()}
    return zipped({**members, "manifest.json": readable_json(manifest)})


def zipped(members: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, data in members.items() if isinstance(members, dict) else members:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            made.writestr(info, data, method)
    return stream.getvalue()


def forged_files() -> dict[str, tuple[bytes, str]]:
    good = packed(genuine())
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    hidden = good.replace(b"PK\x01\x02", b"PK\x01\x03", 1)
    source = zipfile.ZipFile(io.BytesIO(good))
    members = {name: source.read(name) for name in source.namelist()}
    bomb = zipped({**members, "evidence/0009.txt": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    doubled = [*members.items(), ("case.json", b"{}")]
    return {
        "signed by another": (packed(genuine(), key=other), "another key"),
        "another key named": (
            with_manifest(lambda m: m.update(public_key=public_key_of(other))),
            "signature",
        ),
        "another signature": (with_manifest(lambda m: m.update(signature="00" * 64)), "signature"),
        "no signature": (with_manifest(lambda m: m.pop("signature")), "exactly these fields"),
        "a signature of words": (with_manifest(lambda m: m.update(signature="words")), "signature"),
        "an entry's hash": (
            with_manifest(lambda m: m["entries"][0].update(sha256="0" * 64)),
            "chain is broken",
        ),
        "an entry less": (with_manifest(lambda m: m["entries"].pop()), "not the end of its chain"),
        "a field more": (with_manifest(lambda m: m.update(note="x")), "exactly these fields"),
        "a float": (with_manifest(lambda m: m["entries"][0].update(size=7.0)), "number that no field has"),
        "a file changed": (good.replace(b"1024 pixels", b"2048 pixels", 1), "was changed"),
        "a file more": (packed(genuine(), {**FILES, "evidence/0004.txt": b"x"}), "belongs to no item"),
        "a file less": (packed(genuine(), {"evidence/0002.pdf": PDF}), "item 3 .* is missing"),
        "another file": (
            packed(genuine(), {**FILES, "evidence/0003.txt": b"x"}),
            "not the file that was handed",
        ),
        "no manifest": (zipped({"case.json": b"{}"}), "manifest.json is missing"),
        "files in another order": (zipped(dict(reversed(members.items()))), "in that order"),
        "a bomb": (bomb, "compressed"),
        "a name twice": (with_no_warning(doubled), "stands twice"),
        "an absolute path": (zipped({**members, "/etc/passwd": b"x"}), "no place"),
        "a path upwards": (zipped({**members, "evidence/../../x": b"x"}), "no place"),
        "a name that turns a terminal red": (zipped({**members, "\x1b[31m": b"x"}), "no place"),
        "something before it": (b"MZ" + good, "not a case file"),
        "something behind it": (good + b"more", "not a case file"),
        "something between": (good.replace(b"PK\x03\x04", b"hidden" + b"PK\x03\x04", 1), "not a case file"),
        "a list of other marks": (hidden, "not a case file"),
        "half of it": (good[: len(good) // 2], "not a case file"),
        "nothing": (b"", "not that of a case file"),
        "no ZIP": (b"%PDF-1.4" * 100, "not a case file"),
        "sizes that lie": (lying_size(good), "where it should|compressed|not a case file"),
        "many members": (good[:-14] + b"\xff\xff\xff\xff" + good[-10:], "not a case file"),
    }


def with_no_warning(members: list[tuple[str, bytes]]) -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zipped(members)


def lying_size(good: bytes) -> bytes:
    """The list says that a member has a gigabyte."""
    at = good.index(b"PK\x01\x02") + 20
    return good[:at] + (2**30).to_bytes(4, "little") * 2 + good[at + 8 :]


def test_every_forged_or_hostile_file_is_refused_with_the_reason(subtests: pytest.Subtests) -> None:
    for name, (data, reason) in forged_files().items():
        with subtests.test(name):
            verdict = judged(data, public_key_of(KEY))
            assert not verdict.is_good
            assert re.search(reason, verdict.lines[-1]), verdict.lines[-1]
            assert "\x1b" not in "".join(verdict.lines)


def test_random_damage_is_never_taken_for_genuine() -> None:
    good = packed(genuine())
    payload = good.index(b"PK\x01\x02")
    for at in range(0, len(good), 61):
        damaged = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        verdict = judged(damaged, public_key_of(KEY))
        if verdict.is_good:  # what is left are times and rights in the list, which nobody reads
            assert at > payload or good[at - 14 : at].count(b"PK\x03\x04") == 1, at
