"""Mail reaches those who have confirmed their address, once, and waits for a server that is away."""

from __future__ import annotations

import base64
import datetime as dt
import re
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.browsing import Browser
from tests.support.mail_server import MailServer
from tests.support.people import PASSWORD, Person, make_person
from webapp.config import Settings, load_config
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConfigurationError, ConflictError, ValidationError
from webapp.domain.notices import Subject
from webapp.models import Mailbox, Notice, NoticeChoice
from webapp.services.container import Services
from webapp.services.mail.digests import MOST_ATTEMPTS, Digests
from webapp.services.mail.links import Confirmation, Links
from webapp.services.mail.mailboxes import Mailboxes
from webapp.services.mail.run import MailRun
from webapp.services.mail.server import MailServerError
from webapp.services.notices.book import Draft, write
from webapp.services.unit_of_work import unit_of_work
from webapp.web.mail_text import MailComposer

ONE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def _server() -> Iterator[MailServer]:
    started = MailServer().start()
    yield started
    started.stop()


@pytest.fixture
def server(_server: MailServer, request: pytest.FixtureRequest) -> MailServer:
    """A mail server that has taken nothing yet."""
    _server.mails.clear()
    _server.answers.clear()
    return _server


@pytest.fixture
def mail_settings(server: MailServer, settings: Settings) -> Settings:
    """Settings that lead to the server; notices are gathered for half an hour."""
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "sender": "escrow@mail.test",
        "base_url": "https://escrow.test",
        "digest_minutes": 30,
    }
    mail = type(settings.mail).model_validate(values)
    return settings.model_copy(update={"mail": mail})


@pytest.fixture
def composer(app: Flask, mail_settings: Settings) -> Iterator[MailComposer]:
    with app.app_context():
        yield MailComposer(mail_settings)


@pytest.fixture
def mail(session: Session, mail_settings: Settings, composer: MailComposer) -> MailRun:
    return MailRun(session, mail_settings, composer)


@pytest.fixture
def reader(session: Session, services: Services) -> Person:
    """Somebody whose address is confirmed."""
    person = make_person(session, services)
    Mailboxes(session).confirm(Confirmation(person.user.id, person.user.email))
    return person


def tell(session: Session, person: Person, kind: str, name: str = "1", minutes_ago: int = 31) -> None:
    detail = {"service": "gpu <render>", "amount": "12.5", "deadline": "2031-02-03T04:05:06Z", "name": "x"}
    with unit_of_work(session):
        write(session, [Draft(person.user.id, kind, f"{kind}:{name}", Subject.ESCROW, "0198-x", detail)])
        at = utcnow() - timedelta(minutes=minutes_ago)
        session.execute(update(Notice).where(Notice.source == f"{kind}:{name}").values(created_at=at))


def let_time_pass(session: Session) -> None:
    """Whatever was put off is due."""
    past = utcnow() - timedelta(seconds=1)
    with unit_of_work(session):
        session.execute(
            update(Mailbox).values(next_attempt_at=past, held_until=past, asked_at=past - timedelta(hours=1))
        )


def waiting(session: Session) -> int:
    found = len(session.scalars(select(Notice.id).where(Notice.is_by_mail, Notice.mailed_at.is_(None))).all())
    session.commit()
    return found


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return part.get_content()


def test_what_is_new_is_gathered_into_one_mail(
    session: Session, mail: MailRun, reader: Person, server: MailServer
) -> None:
    tell(session, reader, "pays.delivered", minutes_ago=29)
    assert mail.run() == 0

    tell(session, reader, "money.deposit")
    tell(session, reader, "money.airdrop", minutes_ago=5)
    assert mail.run() == 1
    assert mail.run() == 0 and waiting(session) == 0
    ((address, message),) = server.mails
    assert address == reader.user.email == message["To"]
    assert message["Subject"] == "Share of the community fund, and 2 more notices"
    assert message["From"] == "DuxOS Escrow <escrow@mail.test>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain, drawn = text_of(message), text_of(message, "html")
    assert "https://escrow.test/escrows/0198-x#escrow-actions-title" in plain
    assert "gpu <render>: check the result, then release 12.50" in plain and "04:05" in plain
    assert "gpu &lt;render&gt;" in drawn and "<render>" not in drawn
    # Nothing else is told before the next is old enough.
    tell(session, reader, "money.deposit", "2", minutes_ago=1)
    assert mail.run() == 0 and len(server.mails) == 1


@ONE
def test_what_is_urgent_goes_at_once_and_what_was_read_does_not(
    session: Session, mail: MailRun, reader: Person, server: MailServer
) -> None:
    with unit_of_work(session):
        choice = NoticeChoice(
            user_id=reader.user.id,
            choice="pays.delivered",
            is_in_inbox=True,
            is_by_mail=True,
            is_urgent=True,
        )
        session.add(choice)
    tell(session, reader, "money.deposit")
    with unit_of_work(session):
        session.execute(update(Notice).values(read_at=utcnow()))
    assert mail.run() == 0
    tell(session, reader, "pays.delivered", minutes_ago=0)
    assert mail.run() == 1
    assert server.mails[0][1]["Subject"] == "Result delivered"


@ONE
def test_no_address_is_written_to_before_its_owner_has_confirmed_it(
    session: Session, services: Services, mail: MailRun, mail_settings: Settings, server: MailServer
) -> None:
    person, boxes = make_person(session, services), Mailboxes(session)
    tell(session, person, "money.deposit")
    assert mail.run() == 0
    boxes.ask(person.user)
    with pytest.raises(ConflictError):
        boxes.ask(person.user)
    assert mail.run() == 1 and mail.run() == 0
    ((address, message),) = server.mails
    link = re.search(r"https://escrow\.test/notices/mail/confirm\?token=(\S+)", text_of(message))
    assert address == person.user.email and link and "List-Unsubscribe" not in message

    links = Links(mail_settings)
    boxes.confirm(links.read_confirmation(link.group(1)))
    # What was told before is old news.
    assert mail.run() == 0 and waiting(session) == 0
    tell(session, person, "money.deposit", "2")
    assert mail.run() == 1
    boxes.switch_off(person.user.id)
    tell(session, person, "money.deposit", "3")
    assert mail.run() == 0
    with pytest.raises(ValidationError):
        boxes.confirm(Confirmation(person.user.id, "somebody@else.test"))
    for token in ("", "x", links.unsubscribe(person.user.id).partition("=")[2]):
        with pytest.raises(ValidationError):
            links.read_confirmation(token)


@ONE
def test_nothing_is_lost_while_the_server_is_away_or_slow_to_take(
    session: Session,
    mail: MailRun,
    mail_settings: Settings,
    composer: MailComposer,
    reader: Person,
    server: MailServer,
) -> None:
    tell(session, reader, "money.deposit")
    server.stop()
    with pytest.raises(MailServerError):
        mail.run()
    assert mail.run() == 0  # It is left alone for a while.
    server.start()
    server.answers[reader.user.email] = "451 try again later"
    again = MailRun(session, mail_settings, composer)
    assert again.run() == 0 and server.mails == [] and waiting(session) == 1
    server.answers.clear()
    assert again.run() == 0  # Not yet.
    let_time_pass(session)
    assert again.run() == 1 and waiting(session) == 0


@ONE
def test_an_address_that_takes_nothing_is_left_alone_and_its_owner_reads_why(
    session: Session, services: Services, mail: MailRun, reader: Person, server: MailServer
) -> None:
    other = make_person(session, services)
    Mailboxes(session).confirm(Confirmation(other.user.id, other.user.email))
    for person in (reader, other):
        tell(session, person, "money.deposit", str(person.user.id))
    server.answers[reader.user.email] = "550 no such user"
    assert mail.run() == 1
    assert [address for address, _ in server.mails] == [other.user.email]
    assert mail.run() == 0
    told = session.scalars(select(Notice.kind).where(Notice.user_id == reader.user.id)).all()
    assert "security.mail_refused" in told

    # One that never says no, but never takes any, is given up as well.
    server.answers[other.user.email] = "450 mailbox busy"
    tell(session, other, "money.deposit", "again")
    for _ in range(MOST_ATTEMPTS):
        assert Mailboxes(session).find(other.user.id).refused_at is None  # type: ignore[union-attr]
        let_time_pass(session)
        mail.run()
    assert Mailboxes(session).find(other.user.id).refused_at is not None  # type: ignore[union-attr]
    session.commit()

    # Asked for again, a link is tried, and confirmed it is as before.
    server.answers.clear()
    let_time_pass(session)
    Mailboxes(session).ask(reader.user)
    assert mail.run() == 1
    Mailboxes(session).confirm(Confirmation(reader.user.id, reader.user.email))
    tell(session, reader, "money.deposit", "later")
    assert mail.run() == 1


@ONE
@pytest.mark.parametrize("strange", ["ü@example.com", "=?utf-8?q?a?=@example.com"])
def test_an_address_that_no_header_can_hold_keeps_nobody_elses_mail_back(
    session: Session, services: Services, mail: MailRun, reader: Person, server: MailServer, strange: str
) -> None:
    thief = services.identity(session).register(strange, PASSWORD, "payer")
    Mailboxes(session).ask(thief)
    tell(session, reader, "money.deposit")
    assert mail.run() == 1
    assert [address for address, _ in server.mails] == [reader.user.email]
    assert Mailboxes(session).find(thief.id).refused_at is not None  # type: ignore[union-attr]


def test_of_two_workers_one_sends(
    session: Session, mail_settings: Settings, composer: MailComposer, reader: Person, server: MailServer
) -> None:
    tell(session, reader, "money.deposit")
    digests = Digests(session, timedelta(0))
    assert [user.id for user in digests.due()] == [reader.user.id]
    held: list[bool] = []

    def hold() -> None:
        with Session(session.get_bind().engine, expire_on_commit=False) as other:
            held.append(Digests(other, timedelta(0)).hold(reader.user.id))

    workers = [threading.Thread(target=hold) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(held) == [False, False, False, True]
    assert MailRun(session, mail_settings, composer).run() == 0
    # The one that had it vanished: after its lease the mail goes out.
    let_time_pass(session)
    assert MailRun(session, mail_settings, composer).run() == 1
    assert len(server.mails) == 1


@ONE
def test_an_operator_tries_the_server(app: Flask, mail_settings: Settings, server: MailServer) -> None:
    runner = app.test_cli_runner()
    assert "mail.host is empty" in runner.invoke(args=["mail", "test", "--to", "me@here.test"]).output
    app.extensions["duxos"] = Services.of(mail_settings)
    done = runner.invoke(args=["mail", "test", "--to", "me@here.test", "--json"])
    assert (done.exit_code, done.output) == (0, '{"to": "me@here.test", "status": "taken"}\n')
    assert server.mails[0][1]["Subject"] == "DuxOS Escrow sends mail"
    for wrong in ("nobody", "a@b\nBcc: c@d"):
        assert "must be an e-mail address" in runner.invoke(args=["mail", "test", "--to", wrong]).output
    server.answers["me@here.test"] = "550 no such user"
    refused = runner.invoke(args=["mail", "test", "--to", "me@here.test"])
    assert refused.exit_code == 1 and "answered 550" in refused.output


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "private.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, secret


@ONE
def test_the_password_is_told_to_the_right_server_only(
    session: Session,
    mail_settings: Settings,
    composer: MailComposer,
    reader: Person,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, secret = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    encrypted = MailServer(context).start()
    changes = {
        "host": "localhost",
        "port": encrypted.port,
        "security": "starttls",
        "user": "escrow",
        "password": "pw",
    }
    values = {**mail_settings.mail.model_dump(), **changes}
    named = mail_settings.model_copy(update={"mail": type(mail_settings.mail).model_validate(values)})
    tell(session, reader, "money.deposit")

    with pytest.raises(MailServerError):
        MailRun(session, named, composer).run()
    assert encrypted.log_ins == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert MailRun(session, named, composer).run() == 1
    wanted = base64.b64encode(b"\0escrow\0pw").decode()
    assert encrypted.was_encrypted and encrypted.log_ins == [f"PLAIN {wanted}"]
    encrypted.stop()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mail: {host: mail.test}", "mail: sender"),
        ("mail: {host: mail.test, sender: a@b.c}", "mail: base_url"),
        (
            "mail: {host: mail.test, sender: a@b.c, base_url: 'https://x.test', security: none, user: me}",
            "mail: security",
        ),
        ("mail: {base_url: nonsense}", "mail.base_url"),
        ("mail: {digest_minutes: 0}", "mail.digest_minutes"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        load_config(tmp_path / "config.yaml")


@ONE
@pytest.mark.settings(
    mail={
        "host": "127.0.0.1",
        "security": "none",
        "sender": "escrow@mail.test",
        "base_url": "https://escrow.test",
    }
)
def test_links_of_mail_work_without_a_log_in(
    app: Flask, session: Session, services: Services, settings: Settings
) -> None:
    person, links = make_person(session, services), Links(settings)
    email = person.user.email

    def address() -> str | None:
        session.commit()
        mailbox = Mailboxes(session).find(person.user.id)
        assert mailbox is not None
        session.commit()
        return mailbox.address

    browser, stranger = Browser(app), Browser(app)
    browser.log_in(email, PASSWORD)
    assert "has to be confirmed first" in browser.get("/account").text
    assert browser.post("/notices/mail").location == "/account#account-notices"
    assert (
        "Nothing was sent: a link was sent a few minutes ago" in browser.post("/notices/mail", htmx=True).text
    )

    path = links.confirm(person.user.id, email).removeprefix("https://escrow.test")
    token = path.partition("token=")[2]
    page = stranger.get(path)
    assert page.status_code == 200 and email in page.text
    assert address() is None
    assert stranger.client.post("/notices/mail/confirm", data={"token": token}).status_code == 400
    assert "is confirmed" in stranger.post("/notices/mail/confirm", {"token": token}).text
    assert "Mail goes to" in browser.get("/account").text
    assert stranger.get("/notices/mail/confirm?token=x").status_code == 422

    off = links.unsubscribe(person.user.id).removeprefix("https://escrow.test")
    assert "No more mail?" in stranger.get(off).text
    assert address() == email
    # As a mail program does it: no cookies, no token of the site.
    answer = app.test_client().post(off, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200 and address() is None
    assert app.test_client().post("/notices/mail/unsubscribe?token=x").status_code == 422

    # What is chosen is kept, and what nobody may choose is not.
    chosen = {
        "inbox": ["pays.delivered"],
        "mail": ["money.deposit"],
        "urgent": ["pays.delivered", "money.payout"],
    }
    browser.post("/notices/choices", chosen)
    rows = {row.choice: row for row in session.scalars(select(NoticeChoice))}
    assert [name for name, row in rows.items() if row.is_in_inbox] == ["pays.delivered", "security"]
    assert {name for name, row in rows.items() if row.is_by_mail} == {"money.deposit", "pays.delivered"}
    assert [name for name, row in rows.items() if row.is_urgent] == ["pays.delivered"]
    assert "operator.alert" not in rows
    session.commit()
    shown = browser.get("/account").text
    assert re.search(r'name="inbox" value="pays.delivered"[^>]* checked>', shown)
    assert not re.search(r'name="inbox" value="provides.new"[^>]* checked>', shown)
