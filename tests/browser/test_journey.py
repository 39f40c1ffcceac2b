"""The story that the service is for, in a real browser: a deposit, an escrow of 100 FLOP, a delivery, a release, a
withdrawal, with every balance stated. It is told twice: with script, and without.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visits import Site, assert_accessible, money, register
from tests.support.money import fund_balance

RESULT_HASH = "5e" * 32


@pytest.mark.parametrize("has_script", [True, False], ids=["with-script", "without-script"])
def test_from_the_deposit_to_the_coins_on_the_chain(site: Site, has_script: bool) -> None:
    site.work()  # the worker has addresses in stock before anybody comes
    payer, provider = (site.visitor(has_script=has_script) for _ in range(2))
    register(payer, "payer@example.org", "payer")
    register(provider, "provider@example.org", "provider")
    wallet_number = provider.locator(".step-number").inner_text()

    _deposit(site, payer, "150", has_script)
    _create_escrow(payer, wallet_number, has_script)
    _expect_balances(payer, available="50.00000000", held="100.00000000")

    _deliver(provider)
    _release(payer)
    _expect_balances(payer, available="50.00000000", held="0.00000000")
    _expect_balances(provider, available="95.00000000", held="0.00000000")
    provider.goto("/fund")
    expect(money(provider, "5.00000000").first).to_be_visible()
    assert fund_balance(site.session) == "5.00000000"

    _withdraw(site, provider, has_script)
    _expect_balances(provider, available="0.00000000", held="0.00000000")


def _deposit(site: Site, page: Page, amount: str, has_script: bool) -> None:
    page.get_by_role("link", name="Show my deposit address").click()
    expect(page.get_by_role("img", name="The address as a QR code")).to_be_visible()
    address = page.locator(".deposit-address code").inner_text()
    site.chain.send(address, amount)
    site.work()
    _again(page, has_script)
    expect(page.get_by_text("0 of 2")).to_be_visible(timeout=20_000)
    site.mine(1)
    _again(page, has_script)
    expect(page.get_by_text("1 of 2")).to_be_visible(timeout=20_000)
    site.mine(1)
    _again(page, has_script)
    expect(page.locator("#wallet-deposits").get_by_text("Credited")).to_be_visible(timeout=20_000)
    expect(money(page.locator("#wallet-movements"), "150.00000000")).to_be_visible()


def _create_escrow(page: Page, wallet_number: str, has_script: bool) -> None:
    page.goto("/escrows/new")
    page.get_by_label("Provider’s wallet number").fill(wallet_number)
    page.get_by_label("Amount").fill("1000")
    if has_script:
        page.get_by_label("Amount").press_sequentially("0")
        expect(money(page, "9500.00000000")).to_be_visible()
        page.get_by_label("Amount").fill("1000")
    page.get_by_label("Service").fill("image_upscaler_v1")
    page.get_by_label("Task id").fill("holiday photos")
    page.get_by_role("button", name="Create the escrow").click()
    # Too much: it says so beside the field, what was typed stays, and the split is told even without script.
    expect(page.get_by_role("alert")).to_contain_text("more than you have available")
    expect(page.get_by_label("Task id")).to_have_value("holiday photos")
    expect(money(page, "950.00000000")).to_be_visible()
    if has_script:
        assert_accessible(page)

    page.get_by_label("Amount").fill("100")
    page.get_by_role("button", name="Create the escrow").click()
    expect(page.get_by_role("heading", name="image_upscaler_v1")).to_be_visible()
    expect(page.locator("#messages")).to_contain_text("The escrow is created")
    expect(money(page, "95.00000000")).to_be_visible()
    expect(money(page, "5.00000000")).to_be_visible()


def _deliver(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Deliver a result").click()
    page.get_by_label("Result hash").fill("no hash")
    page.get_by_role("button", name="Deliver the result").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Result hash").fill(RESULT_HASH)
    page.get_by_label("Make a signing key for me").check()
    page.get_by_role("button", name="Deliver the result").click()
    expect(page.locator("#escrow-status [data-state=delivered]")).to_be_visible()


def _release(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Check a result and release").click()
    expect(page.get_by_text("95.00000000 FLOP go to wallet")).to_be_visible()
    page.get_by_role("button", name="Release 100.00 FLOP").click()
    expect(page.locator("#escrow-status [data-state=released]")).to_be_visible()
    expect(page.get_by_role("button", name="Release")).to_have_count(0)


def _withdraw(site: Site, page: Page, has_script: bool) -> None:
    outside = site.chain.new_outside_address()
    page.goto("/wallet")
    page.get_by_label("To address").fill(outside)
    page.get_by_label("Amount").fill("95")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator("#payout-status [data-state=queued]")).to_be_visible()
    site.work()
    _again(page, has_script)
    expect(page.locator("#payout-progress .meter-head")).to_contain_text("0 of 2", timeout=20_000)
    site.mine(2)
    _again(page, has_script)
    expect(page.locator("#payout-status [data-state=confirmed]")).to_be_visible(timeout=20_000)
    arrives = page.locator(".split-total data.money").get_attribute("value")
    assert arrives is not None
    assert site.chain.received(outside) == arrives
    assert "94.9" < arrives < "95"


def _expect_balances(page: Page, *, available: str, held: str) -> None:
    page.goto("/wallet")
    figures = page.locator("#wallet-movements data.money")
    assert figures.nth(0).get_attribute("value") == available
    assert figures.nth(1).get_attribute("value") == held


def _again(page: Page, has_script: bool) -> None:
    """Without script the visitor asks for the page again; with it the page does so by itself."""
    if not has_script:
        page.reload()
