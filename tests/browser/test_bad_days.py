"""Bad days: a dead network, an ended session, a hasty hand. Nothing is lost and nothing counts twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select, update

from tests.browser.visits import Site, assert_accessible, assert_no_sideways_scroll, log_in
from tests.support.money import credit
from tests.support.people import PASSWORD, RESULT_HASH, Pair, make_escrow, make_pair, manager, signature
from webapp.domain.clock import utcnow
from webapp.models import Escrow, UserSession
from webapp.services.unit_of_work import unit_of_work

TASK = "scene 7, final take"
# 1280 pixels at 200 %.
ZOOMED = {"width": 640, "height": 430}


@pytest.fixture
def pair(site: Site) -> Pair:
    made = make_pair(site.session, site.services)
    credit(site.session, made.payer.wallet_id, "1000")
    return made


def _visit(site: Site, pair: Pair, *, has_script: bool = True) -> Page:
    page = site.visitor(has_script=has_script)
    log_in(page, pair.payer.user.email)
    return page


def _fill_in(page: Page, pair: Pair) -> None:
    page.goto("/escrows/new")
    page.locator("input[name=provider_wallet_id]").fill(str(pair.provider.wallet_id))
    page.locator("input[name=amount]").fill("12.5")
    page.locator("input[name=service_name]").fill("gpu-render")
    page.locator("input[name=task_id]").fill(TASK)


def _create(page: Page) -> None:
    page.get_by_role("button", name="Create the escrow").click()


def _count(site: Site) -> int:
    site.session.rollback()
    return site.session.execute(select(func.count()).select_from(Escrow)).scalar_one()


@contextmanager
def _network_cut(site: Site, page: Page) -> Iterator[None]:
    page.context.set_offline(True)
    yield
    page.context.set_offline(False)
    # The browser reports what it could not load, and htmx what it could not send: that is what this is about.
    expected = ("ERR_INTERNET_DISCONNECTED", "htmx:sendError", "htmx:afterRequest")
    site.complaints[:] = [each for each in site.complaints if not any(sign in each for sign in expected)]


def test_a_form_sent_into_a_dead_network_is_still_there_and_sent_once(site: Site, pair: Pair) -> None:
    page = _visit(site, pair)
    _fill_in(page, pair)
    with _network_cut(site, page):
        _create(page)
        expect(page.locator("#messages")).to_contain_text("The server could not be reached")
        expect(page.locator("input[name=task_id]")).to_have_value(TASK)
    assert _count(site) == 0

    _create(page)
    expect(page.locator("#escrow-status")).to_contain_text(TASK)
    assert _count(site) == 1


def test_a_page_that_was_cut_off_catches_up_by_itself(site: Site, pair: Pair) -> None:
    page, escrow = _visit(site, pair), make_escrow(site.session, site.services, pair)
    with page.expect_response("**/live?*"):
        page.goto(f"/escrows/{escrow.id}")
    with _network_cut(site, page):
        manager(site.session, site.services, pair.provider).deliver_escrow(
            escrow.id, RESULT_HASH, signature(pair, escrow)
        )
        page.wait_for_timeout(500)
        expect(page.locator("#escrow-status [data-state=delivered]")).to_have_count(0)
    expect(page.locator("#escrow-status [data-state=delivered]").first).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
def test_what_was_typed_survives_an_ended_session(site: Site, pair: Pair, has_script: bool) -> None:
    page = _visit(site, pair, has_script=has_script)
    _fill_in(page, pair)
    with unit_of_work(site.session):
        site.session.execute(update(UserSession).values(revoked_at=utcnow()))
    _create(page)
    if has_script:
        expect(page.locator("#messages")).to_contain_text("Your session has ended")
        page.wait_for_timeout(600)  # the preview of the split comes after it, and is refused
        page.get_by_role("button", name="Log in and go on").click()
        # htmx says of each of them that it was refused.
        site.complaints[:] = [
            each for each in site.complaints if "Response Status Error Code 401" not in each
        ]
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("E-mail address").fill(pair.payer.user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_text(TASK)).to_be_visible()
    assert _count(site) == 0
    if has_script:
        assert_accessible(page)
    page.get_by_role("button", name="Send it now").click()
    expect(page.locator("#escrow-status")).to_contain_text(TASK)
    assert _count(site) == 1


def test_on_a_slow_line_the_button_sleeps_until_the_answer_is_there(site: Site, pair: Pair) -> None:
    page = _visit(site, pair)
    _fill_in(page, pair)
    slow = page.context.new_cdp_session(page)
    slow.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 700, "downloadThroughput": 50_000, "uploadThroughput": 50_000},
    )
    button = page.get_by_role("button", name="Create the escrow")
    # What a hasty hand does a moment after the first press.
    again = "button => { button.click(); return new Promise(tell => setTimeout(() => tell(button.disabled), 100)); }"
    assert button.evaluate(again), "a second press would count"
    expect(page.locator("#escrow-status")).to_contain_text(TASK, timeout=20_000)
    assert _count(site) == 1


def test_back_and_forward_show_how_things_stand_now(site: Site, pair: Pair) -> None:
    page, escrow = _visit(site, pair), make_escrow(site.session, site.services, pair)
    manager(site.session, site.services, pair.provider).deliver_escrow(
        escrow.id, RESULT_HASH, signature(pair, escrow)
    )
    page.goto(f"/escrows/{escrow.id}")
    page.get_by_role("button", name="Release 100.00").click()
    expect(page.locator("#escrow-status [data-state=released]").first).to_be_visible()
    page.goto("/fund")
    page.go_back()
    expect(page.locator("#escrow-status [data-state=released]").first).to_be_visible()
    expect(page.get_by_role("button", name="Release 100.00")).to_have_count(0)
    page.go_forward()
    expect(page).to_have_url(f"{site.url}/fund")


def test_pages_work_at_twice_their_size(site: Site, pair: Pair) -> None:
    escrow = make_escrow(site.session, site.services, pair)
    page = _visit(site, pair)
    page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
    for path in ("/", "/escrows", "/escrows/new", f"/escrows/{escrow.id}", "/wallet", "/account", "/network"):
        page.goto(path)
        expect(page.locator("h1").first).to_be_visible()
        assert_no_sideways_scroll(page)
