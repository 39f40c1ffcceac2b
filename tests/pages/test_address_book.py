"""The book of addresses: names of one's own for destinations, offered where coins are sent."""

from __future__ import annotations

from sqlalchemy import select

from tests.support.browsing import Browser
from tests.support.people import Pair
from webapp.domain.money import Amount
from webapp.models import SavedAddress
from webapp.services.container import Services

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
OTHER = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
BOOK = "/wallet/addresses"


def test_a_name_shows_wherever_coins_go_to_its_address(
    payer: Browser, pair: Pair, session, services: Services
) -> None:
    assert "No addresses yet" in payer.get(BOOK).text
    assert payer.post(BOOK, {"label": "  Cold <wallet> ", "address": ADDRESS}).status_code == 303
    assert "Cold &lt;wallet&gt;" in payer.get(BOOK).text
    wallet = payer.get("/wallet").text
    assert f'<option value="{ADDRESS}">Cold &lt;wallet&gt;</option>' in wallet

    payout = services.wallets(session).payouts.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse(5))
    assert "<strong>Cold &lt;wallet&gt;</strong>" in payer.get(f"/wallet/payouts/{payout.id}").text
    assert "Cold &lt;wallet&gt; <" in payer.get("/wallet/movements", htmx=True).text


def test_a_wrong_entry_says_what_is_wrong_and_keeps_what_was_typed(payer: Browser, session) -> None:
    payer.post(BOOK, {"label": "Cold", "address": ADDRESS}, htmx=True)
    for label, address, complaint in (
        ("Warm", "nonsense", "not a"),
        ("", OTHER, "Enter a name"),
        ("x" * 65, OTHER, "1 to 64"),
        ("Cold", OTHER, "another address has this name"),
        ("Warm", ADDRESS, "is in your book already"),
    ):
        answer = payer.post(BOOK, {"label": label, "address": address})
        assert answer.status_code == 422
        assert complaint.lower() in answer.text.lower(), answer.text
        assert f'value="{address}"' in answer.text
    assert session.scalars(select(SavedAddress.label)).all() == ["Cold"]


def test_a_book_is_its_owners_alone(payer: Browser, provider: Browser, session) -> None:
    payer.post(BOOK, {"label": "Vault", "address": ADDRESS})
    saved_id = session.scalars(select(SavedAddress.id)).one()
    session.rollback()
    assert "Vault" not in provider.get(BOOK).text
    assert provider.post(f"{BOOK}/{saved_id}/remove").status_code == 404
    assert payer.post(f"{BOOK}/{saved_id}/remove").status_code == 303
    assert "No addresses yet" in payer.get(BOOK).text
