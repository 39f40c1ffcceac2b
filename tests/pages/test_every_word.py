"""Every word of the pages can be said in another language: here in one that puts brackets around what it says."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.support import Translations

from tests.support.browsing import Browser
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_node, manager, signature
from webapp.domain.money import Amount
from webapp.services.container import Services
from webapp.web import catalogues, language
from webapp.web.catalogue_files import texts_to_translate

BRACKETED = "eo"
INNERMOST = re.compile(r"⟦[^⟦⟧]*⟧")
# What people, the chain and programs call things is the same in every language.
NAMES = re.compile(
    r"DuxOS Escrow|English|Español|Esperanto|regtest|UTC|FLOP|SHA-256|JSON|CSV|[\w.+-]+@[\w.-]+|\b[\w-]*[0-9…][\w…-]*"
    r"|\b[a-z]+:[a-z_]+\b|\b[a-f0-9]{64}\b"
    r"|Test credit|Main|Not a valid integer value|It is upside down\.?|text=nothing|nothing"
)
READ_ALOUD = ("aria-label", "placeholder", "title", "alt")


class Reader(HTMLParser):
    """What of a page is read: its text, and the attributes that are read out or shown."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "code", "textarea", "time")
        self.pieces += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "code", "textarea", "time")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(data)


def unsaid(page: str) -> set[str]:
    """The words of a page that no translation could have changed."""
    reader = Reader()
    reader.feed(page)
    # A sentence may have a link or a time in its middle, so that its two brackets are in different pieces.
    text = "\u241e".join(reader.pieces)
    while INNERMOST.search(text):
        text = INNERMOST.sub("", text)
    pieces = (NAMES.sub("", piece).strip() for piece in text.split("\u241e"))
    return {piece for piece in pieces if re.search(r"[^\W\d_]{2,}", piece)}


def in_brackets(message: Message) -> str | tuple[str, ...]:
    return f"⟦{message.id}⟧" if isinstance(message.id, str) else tuple(f"⟦{text}⟧" for text in message.id)


@pytest.fixture(scope="module")
def bracketed() -> Translations:
    texts = texts_to_translate()
    for message in texts:
        if message.id:
            message.string = in_brackets(message)
    compiled = io.BytesIO()
    write_mo(compiled, texts)
    compiled.seek(0)
    return Translations(compiled)


@pytest.fixture(autouse=True)
def speaking(bracketed: Translations, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = (catalogues.SOURCE_LANGUAGE, BRACKETED)
    monkeypatch.setattr(language, "languages", lambda: known)
    monkeypatch.setattr(language, "translations", lambda _language: bracketed)
    yield


PAGES = {
    "stranger": ["/login", "/register", "/nowhere", "/solvency"],
    "payer": [
        *(
            "/",
            "/escrows",
            "/escrows?text=nothing",
            "/escrows/new",
            "/escrows/{active}",
            "/escrows/{delivered}",
        ),
        *("/escrows/{disputed}", "/escrows/{refunded}", "/wallet", "/wallet?preview=1&amount=5", "/account"),
        *("/wallet/statement", "/wallet/payouts/{payout}", "/catalogue", "/catalogue/{service}", "/fund"),
        *("/network", "/network/nodes/{node}", "/notices"),
    ],
    "provider": [
        *("/", "/escrows/{active}", "/escrows/{delivered}", "/escrows/{disputed}", "/catalogue/new"),
        *("/catalogue/{service}", "/network/new", "/network/nodes/{node}"),
    ],
    "operator": [
        *("/", "/escrows", "/operations", "/operations/payouts", "/operations/payouts/{payout}"),
        *("/fund/airdrops/new", "/fund/rules", "/escrows/{active}", "/network/nodes/{node}"),
    ],
    "arbiter": ["/", "/disputes", "/escrows/{disputed}"],
}
# Forms with something wrong in them.
SENT = {
    "/escrows": {"amount": "1,5", "service_name": "", "payer_wallet_id": "1", "provider_wallet_id": "x"},
    "/wallet/withdraw": {"amount": "0", "address": "nowhere", "wallet_id": "1"},
    "/account/password": {"old_password": "wrong", "password": "short", "repeated": "shorter"},
    "/account/keys": {"wallet_id": "1", "spend_limit": "-1"},
    "/escrows/{delivered}/dispute": {"reason": ""},
}


@pytest.fixture
def places(session, services: Services, pair: Pair) -> dict[str, object]:
    """Escrows in several states, and one of each other thing that has a page."""
    escrows = {
        name: make_escrow(session, services, pair) for name in ("active", "delivered", "disputed", "refunded")
    }
    provider, payer = manager(session, services, pair.provider), manager(session, services, pair.payer)
    for name in ("delivered", "disputed"):
        provider.deliver_escrow(escrows[name].id, RESULT_HASH, signature(pair, escrows[name]))
    payer.dispute_escrow(escrows["disputed"].id, "It is upside down.")
    provider.refund_escrow(escrows["refunded"].id, "It is upside down.")
    address = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
    payout = services.wallets(session).payouts.withdraw(pair.payer.wallet_id, address, Amount.parse(5))
    service = services.catalogue(session).offer(
        pair.provider.actor, pair.provider.wallet_id, name="scene_7", kind="image", limits={"max_width": 640}
    )
    node = make_node(session, services, pair.provider).node
    return {name: each.id for name, each in escrows.items()} | {
        "payout": payout.id,
        "service": service.id,
        "node": node.id,
    }


def test_every_word_of_the_pages_can_be_translated(
    visitors: dict[str, Browser], places: dict[str, object]
) -> None:
    asked = {"headers": {"Accept-Language": BRACKETED}}
    found: dict[str, list[str]] = {}
    for who, paths in PAGES.items():
        for path in paths:
            page = visitors[who].client.get(path.format(**places), **asked)
            assert page.status_code == (404 if path == "/nowhere" else 200), path
            found[f"{who} {path}"] = sorted(unsaid(page.text))
    token = visitors["payer"].token()
    for path, fields in SENT.items():
        data = {"csrf_token": token, "idempotency_key": "k" * 32, **fields}
        page = visitors["payer"].client.post(path.format(**places), data=data, **asked)
        assert page.status_code == 422, path
        found[path] = sorted(unsaid(page.text))
    assert {path: words for path, words in found.items() if words} == {}
