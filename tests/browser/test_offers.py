"""A disputed escrow that its two sides settle between them, live: by slider, exact field and counter-offer."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.visits import PHONE, Site, assert_accessible, log_in, money, window
from tests.support.money import balances, credit
from tests.support.people import make_escrow, make_pair, manager


def test_a_dispute_is_settled_by_an_offer(site: Site) -> None:
    pair = make_pair(site.session, site.services)
    credit(site.session, pair.payer.wallet_id, "100")
    escrow = make_escrow(site.session, site.services, pair, "100")
    manager(site.session, site.services, pair.payer).dispute_escrow(escrow.id, "Half of the scenes are black")
    payer, provider = site.visitor(), site.visitor()
    for page, person in ((payer, pair.payer), (provider, pair.provider)):
        log_in(page, person.user.email)
        page.goto(f"/escrows/{escrow.id}")

    payer.get_by_text("Make an offer", exact=True).click()
    _share(payer).fill("25.5")
    expect(payer.get_by_label("Share in per cent")).to_have_value("26")
    payer.get_by_label("Share in per cent").fill("40")
    expect(_share(payer)).to_have_value("40.00000000")
    expect(money(payer.locator("#escrow-offer-split"), "38.00000000")).to_be_visible()
    payer.get_by_label("Say why").fill("You keep what is not black")
    assert_accessible(payer)
    provider.get_by_text("Make an offer", exact=True).click()
    _share(provider).fill("60")
    payer.get_by_role("button", name="Make this offer").click()

    # It comes to the open page by itself, and what was being typed there is still there, now as the answer to it.
    expect(provider.get_by_text("The payer offers this split")).to_be_visible()
    expect(_share(provider)).to_have_value("60")
    expect(provider.get_by_text("You decline the offer of the other side with this")).to_be_visible()
    with window(provider, PHONE, "dark"):
        assert_accessible(provider)
    provider.get_by_role("button", name="Make this offer").click()

    payer.get_by_role("button", name="Accept this split").click()
    expect(payer.get_by_role("heading", name="Who got what")).to_be_visible()
    expect(provider.get_by_role("heading", name="Who got what")).to_be_visible()
    assert balances(site.session, pair.payer.wallet_id) == ("40.00000000", "0.00000000")
    assert balances(site.session, pair.provider.wallet_id) == ("57.00000000", "0.00000000")


def _share(page: Page):  # type: ignore[no-untyped-def]
    return page.get_by_label("For the provider’s side")
