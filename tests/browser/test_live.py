"""What moves by itself: the other side's deeds, late presses, filters, and the focus after a swap."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visits import Site, log_in
from tests.support.money import credit
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_pair, manager, signature
from webapp.blueprints import live
from webapp.models import Escrow

# Pages with a stream ask by themselves only once a minute.
AT_ONCE_MS = 3000


@pytest.fixture
def pair(site: Site) -> Pair:
    made = make_pair(site.session, site.services)
    credit(site.session, made.payer.wallet_id, "1000")
    return made


@pytest.fixture
def provider(site: Site, pair: Pair) -> Page:
    page = site.visitor()
    log_in(page, pair.provider.user.email)
    return page


@pytest.fixture
def escrow(site: Site, pair: Pair) -> Escrow:
    return make_escrow(site.session, site.services, pair)


@pytest.fixture
def payer(site: Site, pair: Pair) -> Page:
    page = site.visitor()
    log_in(page, pair.payer.user.email)
    return page


def _deliver(site: Site, pair: Pair, escrow: Escrow) -> None:
    escrows = manager(site.session, site.services, pair.provider)
    escrows.deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))


def _open_live(page: Page, path: str) -> None:
    """The page, once it hears of changes and has asked again for what it shows."""
    with page.expect_response("**/live?*"), page.expect_response(f"**{path}/*seen=*"):
        page.goto(path)
    page.evaluate("window.isTheSamePage = true")


def test_what_is_released_in_one_browser_changes_in_the_other_at_once(
    site: Site, payer: Page, provider: Page, pair: Pair, escrow: Escrow
) -> None:
    path = f"/escrows/{escrow.id}"
    _open_live(payer, path)
    _open_live(provider, path)
    _deliver(site, pair, escrow)

    release = payer.get_by_role("button", name="Release 100.00")
    expect(release).to_be_visible(timeout=AT_ONCE_MS)
    expect(payer.locator("#messages")).to_contain_text("The escrow is delivered now.")
    expect(provider.locator("#escrow-status [data-state=delivered]").first).to_be_visible(timeout=AT_ONCE_MS)
    release.click()

    expect(payer.locator("#escrow-status [data-state=released]").first).to_be_visible()
    expect(provider.locator("#escrow-status [data-state=released]").first).to_be_visible(timeout=AT_ONCE_MS)
    assert payer.evaluate("window.isTheSamePage") and provider.evaluate("window.isTheSamePage")


def test_money_that_moves_shows_in_an_open_wallet_at_once(site: Site, payer: Page, pair: Pair) -> None:
    with payer.expect_response("**/live?*"), payer.expect_response("**/wallet/movements?*"):
        payer.goto("/wallet")
    credit(site.session, pair.payer.wallet_id, "234.5")

    shown = payer.locator('#wallet-movements data.money[value="1234.50000000"]')
    expect(shown).to_be_visible(timeout=AT_ONCE_MS)


def test_what_the_fund_gets_shows_on_its_page_at_once(
    site: Site, payer: Page, pair: Pair, escrow: Escrow
) -> None:
    with payer.expect_response("**/live?*shows=fund*"), payer.expect_response("**/fund/figures"):
        payer.goto("/fund")
    _deliver(site, pair, escrow)
    manager(site.session, site.services, pair.payer).release_escrow(escrow.id)

    shown = payer.locator('#fund-figures data.money[value="5.00000000"]')
    expect(shown.first).to_be_visible(timeout=AT_ONCE_MS)


@pytest.mark.settings(live={"streams_per_process": 0})
def test_without_a_stream_a_page_asks_every_few_seconds(
    site: Site, payer: Page, pair: Pair, escrow: Escrow
) -> None:
    payer.goto(f"/escrows/{escrow.id}")
    _deliver(site, pair, escrow)

    expect(payer.get_by_role("button", name="Release 100.00")).to_be_visible()


def test_a_stream_that_has_ended_goes_on_where_it_was(
    site: Site, payer: Page, pair: Pair, escrow: Escrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LIFETIME_SECONDS", 0.5)
    _open_live(payer, f"/escrows/{escrow.id}")
    monkeypatch.undo()
    with payer.expect_response("**/live?*") as resumed:
        _deliver(site, pair, escrow)

    assert "-" in resumed.value.request.all_headers()["last-event-id"]
    expect(payer.get_by_role("button", name="Release 100.00")).to_be_visible(timeout=AT_ONCE_MS)


@pytest.mark.settings(live={"streams_per_process": 0})
def test_a_late_press_is_answered_with_what_happened(
    site: Site, payer: Page, pair: Pair, escrow: Escrow
) -> None:
    _deliver(site, pair, escrow)
    payer.goto(f"/escrows/{escrow.id}")
    manager(site.session, site.services, pair.provider).refund_escrow(escrow.id, "the disk is full")

    payer.get_by_role("button", name="Release 100.00").click()

    expect(payer.locator("#messages")).to_contain_text("Nothing was done: the escrow is refunded by now.")
    expect(payer.locator("#escrow-status [data-state=refunded]").first).to_be_visible()
    expect(payer.get_by_role("button", name="Release")).to_have_count(0)


def test_the_focus_stays_where_the_answer_is(site: Site, payer: Page, pair: Pair, escrow: Escrow) -> None:
    _deliver(site, pair, escrow)
    payer.goto(f"/escrows/{escrow.id}")
    button = payer.get_by_role("button", name="Release 100.00")
    button.focus()
    payer.keyboard.press("Enter")

    expect(payer.locator("#escrow-status [data-state=released]").first).to_be_visible()
    expect(payer.locator("#escrow-status")).to_be_focused()


def test_a_double_click_counts_once(site: Site, payer: Page, pair: Pair, escrow: Escrow) -> None:
    _deliver(site, pair, escrow)
    payer.goto(f"/escrows/{escrow.id}")

    payer.get_by_role("button", name="Release 100.00").dblclick()

    expect(payer.locator("#escrow-status [data-state=released]").first).to_be_visible()
    expect(payer.locator("#messages")).to_contain_text("Released")


def test_filters_stand_in_the_address_and_back_undoes_them(payer: Page, escrow: Escrow) -> None:
    payer.goto("/escrows")
    payer.get_by_role("link", name="Released").click()
    expect(payer.get_by_text("No escrow is like that")).to_be_visible()
    expect(payer.get_by_role("link", name="Released")).to_be_focused()
    assert payer.url.endswith("/escrows?status=released")

    payer.get_by_role("link", name="I pay").click()
    expect(payer).to_have_url(f"{payer.url.partition('/escrows')[0]}/escrows?status=released&side=payer")

    payer.evaluate("history.back()")
    expect(payer.get_by_role("link", name="I pay")).not_to_have_attribute("aria-current", "true")
    expect(payer.get_by_role("link", name="Released")).to_have_attribute("aria-current", "true")
    payer.evaluate("history.back()")
    expect(payer.get_by_role("link", name="image_upscaler_v1")).to_be_visible()


def test_what_is_typed_survives_while_the_timeline_asks_for_itself(provider: Page, escrow: Escrow) -> None:
    _open_live(provider, f"/escrows/{escrow.id}")
    provider.get_by_label("Result hash").fill("5e5e")

    with provider.expect_response("**/timeline?seen=active*"):
        provider.evaluate("htmx.trigger(document.body, 'poll-5')")
    provider.wait_for_timeout(200)

    expect(provider.get_by_label("Result hash")).to_have_value("5e5e")


def test_copy_buttons_work_on_what_came_later(site: Site, payer: Page, pair: Pair, escrow: Escrow) -> None:
    payer.context.grant_permissions(["clipboard-read", "clipboard-write"])
    payer.goto(f"/escrows/{escrow.id}")
    _deliver(site, pair, escrow)
    expect(payer.get_by_role("button", name="Release 100.00")).to_be_visible()

    payer.get_by_role("button", name="Copy the result hash").click()

    assert payer.evaluate("navigator.clipboard.readText()") == RESULT_HASH


def test_a_dashboard_follows_and_waits_for_whoever_is_in_it_while_a_list_only_offers(
    site: Site, payer: Page, pair: Pair, escrow: Escrow
) -> None:
    listed = payer.context.new_page()
    with listed.expect_response("**/live?*"):
        listed.goto("/escrows")
    with payer.expect_response("**/live?*"), payer.expect_response("**/now"):
        payer.goto("/")
    link = payer.get_by_role("link", name="The whole statement")
    link.focus()
    _deliver(site, pair, escrow)

    offer = listed.get_by_role("link", name="Show it")
    expect(offer).to_be_visible(timeout=AT_ONCE_MS)
    expect(listed.locator("#escrow-list [data-state=active]")).to_be_visible()
    offer.click()
    expect(listed.locator("#escrow-list [data-state=delivered]")).to_be_visible()
    expect(listed.locator("[data-news]")).to_be_hidden()

    payer.wait_for_timeout(1500)
    expect(link).to_be_focused()
    expect(payer.get_by_role("link", name="Check a result and release")).to_have_count(0)
    payer.keyboard.press("Shift+Tab")
    payer.locator("#content").focus()
    expect(payer.get_by_role("link", name="Check a result and release")).to_be_visible(timeout=AT_ONCE_MS)
