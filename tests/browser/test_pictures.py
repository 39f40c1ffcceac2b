"""Every page, empty and full, on a phone and a desktop, light and dark: nothing sticks out, axe finds nothing.

`make screenshots` keeps the pictures in build/screenshots.
"""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.town import Town
from tests.browser.visits import (
    DESKTOP,
    PHONE,
    Site,
    assert_accessible,
    assert_no_sideways_scroll,
    log_in,
    register,
    window,
)
from tests.support.evidence import add, disputed, picture
from tests.support.people import make_pair, make_person

WINDOWS = {"phone": PHONE, "desktop": DESKTOP}


def _look(site: Site, page: Page, name: str, path: str) -> None:
    """Look at a page four times. axe does so once in each colour; the text is the same on every size."""
    page.goto(path)
    for scheme in ("light", "dark"):
        for size_name, size in WINDOWS.items():
            with window(page, size, scheme):
                assert_no_sideways_scroll(page)
                if site.screenshots:
                    file = site.screenshots / f"{name}-{size_name}-{scheme}.png"
                    page.screenshot(path=file, full_page=True)
                if size_name == "phone":
                    assert_accessible(page, has_other_colours_only=scheme == "dark")


def test_pages_of_a_new_account(site: Site) -> None:
    site.work()
    for role in ("payer", "provider"):
        page = site.visitor()
        register(page, f"{role}@example.org", role)
        _look(site, page, f"empty-dashboard-{role}", "/")
        _look(site, page, f"empty-wallet-{role}", "/wallet")
    _look(site, page, "empty-escrows", "/escrows")
    _look(site, page, "empty-escrow-form", "/escrows/new")
    _look(site, page, "empty-node-form", "/network/new")
    _look(site, page, "empty-fund", "/fund")


def test_pages_before_the_log_in(site: Site) -> None:
    page = site.visitor()
    _look(site, page, "log-in", "/login")
    _look(site, page, "register", "/register")
    _look(site, page, "not-found", "/nowhere")
    _look(site, page, "empty-solvency", "/solvency")


def test_pages_full_of_life(site: Site) -> None:
    town = Town(site).live()
    for role, person in town.people.items():
        page = site.visitor()
        log_in(page, person.user.email)
        _look(site, page, f"full-dashboard-{role}", "/")
        if role not in ("payer", "provider"):
            continue
        _look(site, page, f"full-wallet-{role}", "/wallet")
        _look(site, page, f"full-escrows-{role}", "/escrows")
        for state, escrow_id in town.escrows.items():
            _look(site, page, f"escrow-{state}-{role}", f"/escrows/{escrow_id}")
    page = site.visitor()
    log_in(page, town.people["provider"].user.email)
    for state, payout_id in town.payouts.items():
        _look(site, page, f"payout-{state}", f"/wallet/payouts/{payout_id}")
    _look(site, page, "full-fund", "/fund")
    _look(site, page, "full-airdrop", town.airdrop_path)
    _look(site, page, "full-nodes", "/network")
    _look(site, page, "full-node", f"/network/nodes/{town.node_id}")
    _look(site, page, "full-account", "/account")
    _look(site, page, "full-solvency", "/solvency")
    page = site.visitor()
    log_in(page, town.people["operator"].user.email)
    _look(site, page, "full-operations", "/operations")
    _look(site, page, "full-operations-payouts", "/operations/payouts")
    _look(site, page, "full-fund-rules", "/fund/rules")
    for state, payout_id in town.payouts.items():
        _look(site, page, f"operations-payout-{state}", f"/operations/payouts/{payout_id}")


def test_pages_of_disagreement_and_of_ones_own(site: Site) -> None:
    pair = make_pair(site.session, site.services)
    escrow = disputed(site.session, site.services, pair)
    add(site.session, site.services, pair.payer, escrow, "It is too small.", picture(), "result.png")
    site.services.offers(site.session, pair.provider.actor).offer(escrow.id, "40", "Half of it was right.")
    arbiter = make_person(site.session, site.services, "arbiter")
    site.work()
    path = f"/escrows/{escrow.id}"
    for role, person in (("payer", pair.payer), ("provider", pair.provider), ("arbiter", arbiter)):
        page = site.visitor()
        log_in(page, person.user.email)
        _look(site, page, f"disputed-{role}", path)
        _look(site, page, f"notices-{role}", "/notices")
    _look(site, page, "disputes", "/disputes")
    _look(site, page, "dispute-statistics", "/disputes/statistics")
    page = site.visitor()
    log_in(page, pair.payer.user.email)
    for name in ("escrows/plans/new", "catalogue", "wallet/addresses", "account/second-factor", "case-files"):
        _look(site, page, name.replace("/", "-"), f"/{name}")


def test_pages_while_the_chain_is_out_of_reach(site: Site) -> None:
    person = make_person(site.session, site.services, "operator")
    site.work()
    site.chain.custody.kill()
    site.work_in_vain()
    page = site.visitor()
    log_in(page, person.user.email)
    _look(site, page, "out-of-reach-dashboard", "/")
    _look(site, page, "out-of-reach-wallet", "/wallet")
    _look(site, page, "out-of-reach-operations", "/operations")
