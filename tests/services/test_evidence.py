"""Evidence: who adds what, who learns of it, what files are taken, and that nothing of it gets lost or changed."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.evidence import PDF, add, archive, disputed, many_parts, picture, png_bomb
from tests.support.money import credit
from tests.support.people import Pair, make_escrow, make_key, make_pair, make_person, manager
from webapp.config import Settings
from webapp.domain.evidence import pdf
from webapp.domain.evidence.chain import GENESIS, item_hash
from webapp.domain.evidence.file_types import media_type_of
from webapp.domain.evidence.names import clean_name
from webapp.domain.exceptions import (
    EscrowStateError,
    EvidenceDamagedError,
    NotFoundError,
    PermissionDeniedError,
    ValidationError,
)
from webapp.models import Alert, Escrow
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.database import Session as DatabaseSession
from webapp.services.evidence import orphans
from webapp.services.evidence.book import PreparedItem, SubmittedFile
from webapp.services.evidence.documents import item_document
from webapp.services.evidence.vault import Vault
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    return make_pair(session, services)


@pytest.fixture
def escrow(session: Session, services: Services, pair: Pair) -> Escrow:
    return disputed(session, services, pair)


def stored_files(settings: Settings) -> list[Path]:
    folder = settings.evidence_folder
    return sorted(folder.iterdir()) if folder.exists() else []


def test_items_are_numbered_chained_and_on_the_trail(
    session: Session, services: Services, settings: Settings, pair: Pair, escrow: Escrow
) -> None:
    said = add(session, services, pair.payer, escrow, "It is 640\tpixels wide.\r\nNot 1024.")
    shown = add(session, services, pair.provider, escrow, data=picture(), name="../../proof.PNG")
    both = add(session, services, pair.payer, escrow, "The order:", b'{"width": 1024}', "order.txt")

    assert [(item.number, item.side) for item in (said, shown, both)] == [
        (1, "payer"), (2, "provider"), (3, "payer")
    ]  # fmt: skip
    assert said.text == "It is 640 pixels wide.\nNot 1024."
    assert (shown.file_name, shown.media_type) == ("proof.png", "image/png")
    assert (both.file_name, both.media_type) == ("order.txt.json", "application/json")
    previous = GENESIS
    for item in (said, shown, both):
        assert item.previous_hash == previous
        assert item.hash == item_hash(str(escrow.id), item_document(item))
        previous = item.hash
    told = [each.detail for each in audit_trail.entries(session, escrow.id) if each.kind == "evidence_added"]
    assert [(each["number"], each["evidence_hash"]) for each in told] == [
        (1, said.hash), (2, shown.hash), (3, both.hash)
    ]  # fmt: skip
    assert list(audit_trail.broken_links(session)) == []
    # What lies on the disk is nobody's to read, and gives nothing away.
    assert len(stored_files(settings)) == 2
    for file in stored_files(settings):
        assert file.stat().st_mode & 0o077 == 0
        assert b"PNG" not in file.read_bytes()
        assert b"width" not in file.read_bytes()
    book = services.evidence(session, pair.provider.actor)
    item, data = book.open(escrow, manager(session, services, pair.provider).parties(escrow), 2)
    assert data == picture()
    assert item.sha256 == hashlib.sha256(data).hexdigest()


def test_who_may_add_and_who_may_read(session: Session, services: Services, pair: Pair) -> None:
    verifier = make_person(session, services)
    key = make_key(session, services, verifier)
    active = make_escrow_with(session, services, pair, verifier_key_id=key.key_id)
    staff = {role: make_person(session, services, role) for role in ("operator", "arbiter")}
    judge = staff["arbiter"]
    people = {
        "payer": pair.payer,
        "provider": pair.provider,
        "other": make_person(session, services),
        **staff,
    }

    with pytest.raises(EscrowStateError, match="while the escrow is disputed"):
        add(session, services, pair.payer, active, "Too early")
    escrow = manager(session, services, pair.payer).dispute_escrow(active.id, "Wrong size")
    for name, person in people.items():
        if name in ("payer", "provider"):
            add(session, services, person, escrow, f"I am the {name}")
        else:
            with pytest.raises(PermissionDeniedError, match="only the payer and the provider"):
                add(session, services, person, escrow, "Me, too")
    can_read = {"arbiter at first": reads(session, services, judge.actor, escrow)}
    # Evidence is an answer, so they may go on; and whoever is assigned reads it.
    services.disputes(session, pair.payer.actor).escalate(escrow.id)
    people["another arbiter"] = make_person(session, services, "arbiter")
    for name, person in people.items():
        can_read[name] = reads(session, services, person.actor, escrow)
    by_key = actor_of(services.signing_keys(session).find_usable(key.key_id)[0])
    can_read["verifier"] = reads(session, services, by_key, escrow)
    assert can_read == {
        "payer": True, "provider": True, "operator": True, "other": False, "verifier": False,
        "arbiter at first": False, "arbiter": True, "another arbiter": False,
    }  # fmt: skip

    manager(session, services, pair.provider).refund_escrow(escrow.id, "The size is wrong")
    with pytest.raises(EscrowStateError):
        add(session, services, pair.payer, escrow, "Thank you")
    assert reads(session, services, pair.provider.actor, escrow)


def make_escrow_with(session: Session, services: Services, pair: Pair, **terms: object) -> Escrow:
    credit(session, pair.payer.wallet_id, "100")
    return make_escrow(session, services, pair, "100", **terms)


def reads(session: Session, services: Services, actor: object, escrow: Escrow) -> bool:
    book = services.evidence(session, actor)
    parties = services.escrow_manager(session, actor).parties(escrow)
    try:
        book.items(escrow, parties)
    except NotFoundError:
        return False
    return True


@on_sqlite
@pytest.mark.settings(
    evidence={
        "max_items_per_side": 3,
        "max_files_per_side": 1,
        "max_file_bytes": 1024,
        "max_text_characters": 100,
    }
)
def test_each_side_has_its_limits_and_what_is_refused_leaves_no_file(
    session: Session, services: Services, settings: Settings, pair: Pair, escrow: Escrow
) -> None:
    refused = {
        "text": [("", None), (" \n ", None), ("x" * 101, None), ("a\u202eb", None), ("a\0b", None)],
        "file": [("", b""), ("", b"x" * 1025), ("", b"MZ\x90\0\xff")],
    }
    for field, attempts in refused.items():
        for text, data in attempts:
            with pytest.raises(ValidationError) as error:
                add(session, services, pair.payer, escrow, text, data)
            assert set(error.value.fields) == {field}, (text, data)
    add(session, services, pair.payer, escrow, data=b"x" * 1024)
    with pytest.raises(ValidationError, match="may add 1 files"):
        add(session, services, pair.payer, escrow, data=b"more")
    add(session, services, pair.payer, escrow, "two")
    add(session, services, pair.payer, escrow, "three")
    with pytest.raises(ValidationError, match="may add 3 items"):
        add(session, services, pair.payer, escrow, "four")
    add(session, services, pair.provider, escrow, data=b"The other side has limits of its own")

    assert len(stored_files(settings)) == 2


@pytest.mark.settings(evidence={"max_items_per_side": 5})
def test_what_comes_at_once_gets_numbers_of_its_own_and_no_more_than_the_limit(
    session: Session, services: Services, settings: Settings, pair: Pair, escrow: Escrow
) -> None:
    book = services.evidence(session, pair.payer.actor)
    parties = manager(session, services, pair.payer).parties(escrow)
    prepared = [book.prepare(escrow, parties, f"Text {number}", None) for number in range(8)]
    escrow_id = escrow.id
    session.commit()

    def write(item: PreparedItem) -> bool:
        with DatabaseSession(settings) as own:
            try:
                with unit_of_work(own):
                    services.evidence(own, pair.payer.actor).add(
                        own.get_one(Escrow, escrow_id), parties, item
                    )
            except ValidationError:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(write, prepared))
    assert sum(added) == 5
    items = book.items(escrow, parties)
    assert [item.number for item in items] == [1, 2, 3, 4, 5]
    assert [item.previous_hash for item in items] == [GENESIS, *[item.hash for item in items[:-1]]]
    assert list(audit_trail.broken_links(session)) == []


@on_sqlite
def test_what_came_too_late_or_was_never_written_down_leaves_no_file_behind(
    session: Session, services: Services, settings: Settings, pair: Pair, escrow: Escrow
) -> None:
    book = services.evidence(session, pair.payer.actor)
    parties = manager(session, services, pair.payer).parties(escrow)
    late = book.prepare(escrow, parties, "", SubmittedFile("a.txt", b"late"))
    manager(session, services, pair.provider).refund_escrow(escrow.id, "Decided meanwhile")
    with pytest.raises(EscrowStateError), book.adding(late), unit_of_work(session):
        book.add(escrow, parties, late)
    assert stored_files(settings) == []

    # A crash between the file and its row, long ago; and what belongs to others, or came just now, stays.
    vault = Vault(settings.evidence_folder, services.secret_box)
    known = add(session, services, pair.payer, disputed(session, services, pair), data=b"kept").stored_as
    left, fresh = vault.store(b"left behind"), vault.store(b"just now")
    draft = settings.evidence_folder / f".draft-{'0' * 32}"
    draft.write_bytes(b"half a file")
    (settings.evidence_folder / "README").write_text("not ours")
    long_ago = time.time() - orphans.ORPHAN_AFTER_SECONDS - 60
    for name in (known, left, draft.name, "README"):
        os.utime(settings.evidence_folder / name, (long_ago, long_ago))
    assert orphans.sweep(session, settings) == 2
    assert {file.name for file in stored_files(settings)} == {known, fresh, "README"}
    assert orphans.sweep(session, settings) == 0


@on_sqlite
@pytest.mark.parametrize("harm", ["missing", "changed", "cut off", "another's"])
def test_a_damaged_file_is_told_and_never_given_out(
    session: Session, services: Services, settings: Settings, pair: Pair, escrow: Escrow, harm: str
) -> None:
    item = add(session, services, pair.payer, escrow, data=b"the first")
    other = add(session, services, pair.payer, escrow, data=b"the other")
    file = settings.evidence_folder / str(item.stored_as)
    if harm == "missing":
        file.unlink()
    elif harm == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    elif harm == "cut off":
        file.write_bytes(file.read_bytes()[:40])
    else:
        file.write_bytes((settings.evidence_folder / str(other.stored_as)).read_bytes())
    book = services.evidence(session, pair.provider.actor)
    parties = manager(session, services, pair.provider).parties(escrow)
    for _ in range(2):
        with pytest.raises(EvidenceDamagedError, match="missing or damaged"):
            book.open(escrow, parties, 1)
    (alert,) = session.scalars(select(Alert).where(Alert.kind == "evidence_damaged"))
    assert alert.subject == f"evidence:{escrow.id}:1"
    assert book.open(escrow, parties, 2)[1] == b"the other"


_BOM = "\ufeff".encode()
WEBP = picture("WEBP")
ANIMATION = picture("WEBP", save_all=True, append_images=[Image.new("RGB", (8, 6), (250, 0, 0))])
TAKEN = {
    "text": (b"Plain words.\r\n\tAnd more: \xc3\xa4\xe2\x82\xac", "text/plain"),
    "text with a mark": (_BOM + b"Windows wrote this", "text/plain"),
    "almost JSON": (b'{"a": 1,}', "text/plain"),
    "JSON twice": (b'{"a": 1, "a": 2}', "text/plain"),
    "deep JSON": (b"[" * 5000 + b"]" * 5000, "text/plain"),
    "JSON": (b' {"a": [1, 2.5, "x"]}\n', "application/json"),
    "PDF": (PDF, "application/pdf"),
    "PNG": (picture("PNG"), "image/png"),
    "JPEG": (picture("JPEG"), "image/jpeg"),
    "progressive JPEG": (picture("JPEG", progressive=True), "image/jpeg"),
    "WebP": (WEBP, "image/webp"),
    "lossless WebP": (picture("WEBP", lossless=True), "image/webp"),
}
REFUSED = {
    "HTML": (b" \n<!DOCTYPE html><script>alert(1)</script>", "markup"),
    "HTML with a mark": (_BOM + b"<html>", "markup"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "markup"),
    "RTF": (b"{\\rtf1 hello}", "markup"),
    "a program": (b"MZ\x90\0" + bytes(range(256)), "Windows"),
    "noise": (bytes(range(256)) * 8, "not known here"),
    "text with NUL": (b"text\0text", "not known here"),
    "terminal codes": (b"\x1b[2Jhello", "not known here"),
    "UTF-16": ("hello".encode("utf-16"), "and is"),
    "GIF": (picture("GIF"), "Graphics interchange"),
    "TIFF": (picture("TIFF"), "must be text"),
    "a ZIP": (archive(), "archive"),
    "PNG and ZIP": (picture("PNG") + archive(), "archive"),
    "PNG and words": (picture("PNG") + b"<script>", "behind it"),
    "JPEG and words": (picture("JPEG") + b"PK", "behind it"),
    "PDF and ZIP": (PDF + archive(), "archive"),
    "PDF and words": (PDF + b"<html>", "ends where"),
    "words and PDF": (b"<b>" + PDF, "markup"),
    "half a PDF": (PDF[:-8], "ends where"),
    "a PDF of the future": (PDF.replace(b"1.4", b"9.9"), "known version"),
    "PDF with a script": (PDF.replace(b"/Type", b"/S/JavaScript/Type"), "scripts"),
    "PDF with a hidden script": (PDF.replace(b"/Type", b"/S/J#61vaScript/Type"), "scripts"),
    "PDF with a script in codes": (
        PDF.replace(
            b"/Type", b"/" + "".join(f"#{ord(each):02X}" for each in "JavaScript").encode() + b"#20/T"
        ),
        "has /JavaScript",
    ),
    "PDF that starts a program": (PDF.replace(b"/Type", b"/S /Launch /Type"), "programs"),
    "PDF with a file": (PDF.replace(b"/Type", b"/EmbeddedFile /Type"), "files in it"),
    "PDF under a password": (PDF.replace(b"/Root", b"/Encrypt 5 0 R/Root"), "password"),
    "half a PNG": (picture("PNG")[:-8], "cut off"),
    "a broken PNG": (picture("PNG").replace(b"IDAT", b"IDAX"), "cannot be decoded"),
    "a PNG bomb": (png_bomb(), "at most 16384 pixels"),
    "a smaller PNG bomb": (png_bomb(16_000), "at most 16777216 pixels"),
    "another RIFF": (b"RIFF\x04\0\0\0WAVE", "sound WebP"),
    "a JPEG full of padding": (many_parts("JPEG", b"\xff"), "more than 65536 parts"),
    "a JPEG of remarks": (many_parts("JPEG", b"\xff\xfe\0\2"), "more than 65536 parts"),
    "a PNG of remarks": (many_parts("PNG", bytes(4) + b"tEXt" + bytes(4)), "more than 65536 parts"),
    "half a WebP": (WEBP[:-4], "cut off"),
    "WebP and words": (WEBP + b"more", "behind it"),
    "a WebP bomb": (b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\x3f\0" * 2, "pixels"),
    "an animation": (ANIMATION, "several frames"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_file_is_what_its_content_says(name: str) -> None:
    data, media_type = TAKEN[name]
    assert media_type_of(data) == media_type


def test_a_pdf_full_of_codes_costs_no_more_than_another() -> None:
    began = time.process_time()
    pdf.check(PDF.replace(b"/Type", b"/JavaScripts/JavaScript#61" + b"#41" * 3_000_000))
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_plainly_one_thing_is_refused_with_the_reason(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(ValidationError, match=reason) as error:
        media_type_of(data)
    assert set(error.value.fields) == {"file"}


@pytest.mark.parametrize(
    ("proposed", "name"),
    [
        ("../../x", "x.pdf"),
        ("..\\..\\evil.PDF", "evil.pdf"),
        ("a\r\nb", "a b.pdf"),
        ('x"; filename="y.html', "x filename=y.html.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe.pdf"),
        ("zero\u200bwidth.pdf", "zerowidth.pdf"),
        ("con.PDF", "evidence con.pdf"),
        (".htaccess", "htaccess.pdf"),
        ("-rf", "rf.pdf"),
        ("", "evidence.pdf"),
        ("...", "evidence.pdf"),
        ("x" * 300, "x" * 80 + ".pdf"),
        ("Rechnung  für 文件.pdf", "Rechnung für 文件.pdf"),
    ],
)
def test_a_name_is_harmless_and_ends_as_the_content_deserves(proposed: str, name: str) -> None:
    assert clean_name(proposed, "application/pdf") == name
