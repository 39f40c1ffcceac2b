"""What somebody else did shows in the navigation and in the title of an open page, at once."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.visits import PHONE, Site, assert_accessible, log_in, window
from tests.support.money import credit
from tests.support.people import make_escrow, make_pair
from webapp.services.notices.run import NoticeRun

AT_ONCE_MS = 3000


def test_the_count_and_the_title_of_an_open_page_follow_what_others_do(site: Site) -> None:
    pair = make_pair(site.session, site.services)
    credit(site.session, pair.payer.wallet_id, "1000")
    page = site.visitor()
    log_in(page, pair.provider.user.email)
    with page.expect_response("**/live?*"), page.expect_response("**/notices/count?*"):
        page.goto("/fund")
    before = page.title()
    assert re.match(r"\(1\) Fund|\(1\) Community", before), before  # the signing key that was made
    page.evaluate("window.isTheSamePage = true")

    escrow = make_escrow(site.session, site.services, pair)
    NoticeRun(site.session, site.services.settings).run()

    expect(page.get_by_role("link", name="Notices: 2 unread")).to_be_visible(timeout=AT_ONCE_MS)
    expect(page).to_have_title(before.replace("(1)", "(2)"))
    expect(page.locator("#notice-news")).to_contain_text("New notice: New escrow for you.")
    assert page.evaluate("window.isTheSamePage")

    page.get_by_role("link", name="Notices: 2 unread").click()
    assert_accessible(page)
    with window(page, PHONE, "dark"):
        assert_accessible(page)
    page.get_by_role("button", name="Mark as read").last.click()
    expect(page.get_by_role("link", name="Notices: 1 unread")).to_be_visible()
    page.get_by_role("link", name="New escrow for you").click()
    expect(page).to_have_url(f"{site.url}/escrows/{escrow.id}#escrow-actions-title")
    expect(page.get_by_role("link", name="Notices: all read")).to_be_visible()
    assert not page.title().startswith("(")
    page.goto("/account")
    assert_accessible(page)
