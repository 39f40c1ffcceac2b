"""Files that are what they say, and files that only pretend; and a disputed escrow to hand them in to."""

from __future__ import annotations

import io
import zipfile
import zlib

from PIL import Image
from sqlalchemy.orm import Session

from tests.support.money import credit
from tests.support.people import Pair, Person, make_escrow, manager
from webapp.models import Escrow, EvidenceItem
from webapp.services.container import Services
from webapp.services.evidence.book import SubmittedFile
from webapp.services.unit_of_work import unit_of_work

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"


def picture(form: str = "PNG", size: tuple[int, int] = (8, 6), **options: object) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (20, 90, 160)).save(buffer, form, **options)
    return buffer.getvalue()


def archive() -> bytes:
    """A small ZIP."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("run.sh", "echo hello")
    return buffer.getvalue()


def png_bomb(side: int = 50_000) -> bytes:
    """A few hundred bytes that claim to be a picture of 2.5 thousand million pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def many_parts(form: str, part: bytes) -> bytes:
    """A small picture with the part in it 65 537 times, behind its header."""
    whole = picture(form)
    at = 2 if form == "JPEG" else 33
    return whole[:at] + part * 65_537 + whole[at:]


def disputed(session: Session, services: Services, pair: Pair, amount: str = "100") -> Escrow:
    """An escrow between the two that the payer objects to."""
    credit(session, pair.payer.wallet_id, amount)
    escrow = make_escrow(session, services, pair, amount)
    return services.disputes(session, pair.payer.actor).open(escrow.id, "The picture is too small")


def add(
    session: Session,
    services: Services,
    person: Person,
    escrow: Escrow,
    text: str = "",
    data: bytes | None = None,
    name: str = "file",
) -> EvidenceItem:
    """Evidence of this person's, added as the site does it."""
    book = services.evidence(session, person.actor)
    parties = manager(session, services, person).parties(escrow)
    item = book.prepare(escrow, parties, text, None if data is None else SubmittedFile(name, data))
    with book.adding(item), unit_of_work(session):
        return book.add(escrow, parties, item)


def ended(session: Session, services: Services, pair: Pair, escrow: Escrow, share: str = "0") -> None:
    """Both sides agree: this share for the provider's side, and with it the dispute is over."""
    offer = services.offers(session, pair.provider.actor).offer(escrow.id, share)
    services.offers(session, pair.payer.actor).accept(escrow.id, offer.id, offer.share)
