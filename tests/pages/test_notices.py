"""The inbox: what is in it, for whom, and that reading is what empties it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.pages.conftest import logged_in
from tests.support.browsing import Browser
from tests.support.people import Pair, Person, make_escrow, make_person
from webapp.config import Settings
from webapp.domain.notices import Subject
from webapp.models import Notice
from webapp.services.container import Services
from webapp.services.notices.book import Draft, write
from webapp.services.notices.run import NoticeRun
from webapp.services.unit_of_work import unit_of_work


def tell(session: Session, person: Person, kind: str, number: int = 1, **values: object) -> None:
    """Put notices into somebody's inbox."""
    detail = {
        "service": "gpu-render",
        "amount": "12.50000000",
        "deadline": "2031-02-03T04:05:06Z",
        "name": "laptop",
    }
    options: dict[str, object] = {"subject": Subject.ACCOUNT, "detail": detail, **values}
    with unit_of_work(session):
        write(session, [Draft(person.user.id, kind, f"{kind}:{n}", **options) for n in range(number)])  # type: ignore[arg-type]


def unread(session: Session, person: Person) -> int:
    mine = (Notice.user_id == person.user.id) & Notice.is_in_inbox & Notice.read_at.is_(None)
    found = len(session.scalars(select(Notice.id).where(mine)).all())
    session.commit()
    return found


def title_of(page: str) -> str:
    return re.search("<title>(.*?)</title>", page).group(1)  # type: ignore[union-attr]


def test_an_empty_inbox_says_what_will_be_in_it(app: Flask, session: Session, services: Services) -> None:
    browser = logged_in(app, make_person(session, services))
    page = browser.get("/notices").text
    assert "No notices yet" in page and "Mark all as read" not in page
    assert title_of(page).startswith("Notices") and 'data-unread="0"' in page
    assert "Nothing unread" in browser.get("/notices?unread=yes").text


def test_opening_the_thing_or_its_notice_reads_it(
    session: Session, services: Services, settings: Settings, pair: Pair, payer: Browser, provider: Browser
) -> None:
    first, second = make_escrow(session, services, pair), make_escrow(session, services, pair)
    NoticeRun(session, settings).run()
    before = unread(session, pair.provider)
    page = provider.get("/notices").text
    assert title_of(page).startswith(f"({before}) Notices") and f'data-unread="{before}"' in page
    assert "New escrow for you" in page and "100.00" in page and page.count("notice-unread") == before

    # Somebody else's look, or an open page's, is none of the reader's.
    payer.get(f"/escrows/{second.id}")
    provider.get(f"/escrows/{second.id}", htmx=True)
    assert unread(session, pair.provider) == before
    provider.get(f"/escrows/{second.id}")
    assert unread(session, pair.provider) == before - 1

    number = session.scalars(select(Notice.id).where(Notice.subject_id == str(first.id))).one()
    session.commit()
    assert payer.get(f"/notices/{number}").status_code == 404
    answer = provider.get(f"/notices/{number}")
    assert answer.location == f"/escrows/{first.id}#escrow-actions-title"
    assert 'id="escrow-actions-title"' in provider.get(f"/escrows/{first.id}").text
    assert unread(session, pair.provider) == before - 2


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_one_or_all_are_marked_as_read(
    session: Session, pair: Pair, provider: Browser, payer: Browser, htmx: bool
) -> None:
    tell(session, pair.payer, "security.password")
    others = unread(session, pair.payer)
    tell(session, pair.provider, "pays.delivered", number=3)
    tell(session, pair.provider, "provides.new", subject=Subject.ESCROWS)
    mine = Notice.user_id == pair.provider.user.id
    numbers = session.scalars(select(Notice.id).where(mine).order_by(Notice.id.desc())).all()
    count = unread(session, pair.provider)

    assert payer.post(f"/notices/{numbers[0]}/read", htmx=htmx).status_code in (200, 303)
    assert unread(session, pair.provider) == count
    answer = provider.post(f"/notices/{numbers[0]}/read?unread=yes", htmx=htmx)
    assert unread(session, pair.provider) == count - 1
    if htmx:
        assert f'id="notice-{numbers[0]}"' not in answer.text and f'id="notice-{numbers[1]}"' in answer.text
        assert "Marked as read." in answer.text
    else:
        assert answer.location == "/notices?unread=yes"

    # What came while the page was open was not read by its button.
    tell(session, pair.provider, "security.password")
    answer = provider.post("/notices/read", {"up_to": str(numbers[0])}, htmx=htmx)
    assert unread(session, pair.provider) == 1
    assert answer.status_code == (200 if htmx else 303)
    provider.post("/notices/read", {"up_to": "nonsense"}, htmx=htmx)
    assert unread(session, pair.provider) == 1
    assert unread(session, pair.payer) == others


def test_the_count_says_aloud_what_is_new_and_no_more(session: Session, pair: Pair, payer: Browser) -> None:
    seen = re.search(r"/notices/count\?seen=(\d+)", payer.get("/").text).group(1)  # type: ignore[union-attr]
    tell(
        session,
        pair.payer,
        "pays.delivered",
        detail={"service": "<b>gpu</b>", "amount": "5", "deadline": "2031-02-03T04:05:06Z"},
    )

    answer = payer.get(f"/notices/count?seen={seen}", htmx=True).text
    assert 'data-unread="1"' in answer and "sse:notices-" in answer
    assert "New notice: Result delivered. &lt;b&gt;gpu&lt;/b&gt;: check the result" in answer
    seen = re.search(r"/notices/count\?seen=(\d+)", answer).group(1)  # type: ignore[union-attr]
    assert "notice-news" not in payer.get(f"/notices/count?seen={seen}", htmx=True).text
    assert payer.get("/notices/count").location == "/notices"
    assert payer.get("/notices/list").location == "/notices"


def test_every_kind_has_words_and_a_long_inbox_has_pages_at_the_same_cost(
    session: Session, pair: Pair, payer: Browser, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    from webapp.domain.notice_kinds import KINDS

    for kind in KINDS:
        tell(session, pair.payer, kind.name)
    few = count_queries(lambda: payer.get("/notices"))
    tell(session, pair.payer, "pays.funded", number=110)
    assert count_queries(lambda: payer.get("/notices")) == few

    page, shown, path = "", "", "/notices"
    while path:
        page = payer.get(path).text
        shown += page
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following.group(1).replace("&amp;", "&") if following else ""
    assert "(99+)" in title_of(page) and 'data-unread="99+"' in page
    for kind in KINDS:
        assert str(kind.title) in shown
    assert "{" not in re.sub(r"<(script|meta|body).*?>", "", shown, flags=re.DOTALL).replace("{&#34;", "")
    assert "3 Feb 2031, 04:05" in shown


def test_a_browser_that_is_not_known_is_told_of(
    app: Flask, session: Session, pair: Pair, payer: Browser
) -> None:
    login = Notice.kind == "security.log_in"

    def log_ins() -> int:
        found = len(
            session.scalars(select(Notice.id).where(login, Notice.user_id == pair.payer.user.id)).all()
        )
        session.commit()
        return found

    # The first one ever is nobody else's, and the same browser is known from there on.
    assert log_ins() == 0
    payer.log_out()
    payer.log_in(pair.payer.user.email)
    assert log_ins() == 0
    logged_in(app, pair.payer)
    assert log_ins() == 1
    # Knowing one account is not knowing another.
    payer.log_out()
    payer.log_in(pair.provider.user.email)
    payer.log_out()
    payer.log_in(pair.payer.user.email)
    assert log_ins() == 1
    logged_in(app, pair.payer)
    assert log_ins() == 2


def test_a_registration_is_no_news(app: Flask, session: Session) -> None:
    browser = Browser(app)
    browser.register("new@example.com")
    browser.log_out()
    browser.log_in("new@example.com")
    assert session.scalars(select(Notice.id)).all() == []
