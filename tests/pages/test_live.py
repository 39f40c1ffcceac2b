"""The stream of a page: what it says, to whom, and when it ends."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.browsing import Browser
from tests.support.people import Pair, make_escrow
from webapp.domain.clock import utcnow
from webapp.extensions import db
from webapp.models import UserSession
from webapp.services.container import Services
from webapp.services.payouts.halts import raise_alert
from webapp.services.unit_of_work import unit_of_work

QUICK = {"heartbeat_seconds": 1}


class Reading:
    """What a browser has read of a stream so far; `is_over` once the server has ended it."""

    def __init__(self, browser: Browser, path: str = "/live") -> None:
        self.response = browser.client.get(path, headers={"Accept": "text/event-stream"})
        self.text = ""
        self.is_over = False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for piece in self.response.response:
            self.text += piece if isinstance(piece, str) else piece.decode()
        self.is_over = True

    def until(self, words: str, timeout_seconds: float = 2) -> str:
        deadline = time.monotonic() + timeout_seconds
        while words not in self.text and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.text

    def join(self, timeout_seconds: float) -> bool:
        self._thread.join(timeout_seconds)
        return self.is_over


@contextmanager
def reading(app: Flask, *browsers: Browser) -> Iterator[list[Reading]]:
    streams = [Reading(browser) for browser in browsers]
    try:
        yield streams
    finally:
        app.extensions["duxos_live"].close()
        assert all(stream.join(5) for stream in streams)
        for stream in streams:
            stream.response.close()


def _wait_until_nothing_is_held() -> None:
    deadline = time.monotonic() + 2
    while db.engine.pool.checkedout():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.settings(live=QUICK)
def test_a_stream_names_what_concerns_its_reader_and_never_what_is_in_it(
    app: Flask, session: Session, services: Services, pair: Pair, visitors: dict[str, Browser]
) -> None:
    names = ("payer", "provider", "other", "operator")
    with reading(app, *(visitors[name] for name in names)) as streams:
        for stream in streams:
            assert stream.response.mimetype == "text/event-stream"
            assert stream.response.headers["Cache-Control"] == "no-store"
            assert stream.response.headers["X-Accel-Buffering"] == "no"
            stream.until("event: again")
        escrow = make_escrow(session, services, pair)
        payer, provider, other, operator = streams
        assert f"event: escrow-{escrow.id}\ndata: changed" in payer.until(f"wallet-{pair.payer.wallet_id}\n")
        assert f"event: escrow-{escrow.id}\n" in provider.until(str(escrow.id))
        assert f"event: escrow-{escrow.id}\n" in operator.until(str(escrow.id))
        for stream in (payer, provider, operator):
            assert "event: escrow\ndata: changed\n\n" in stream.until("event: escrow\n")
        with unit_of_work(session):
            raise_alert(session, "deposit_lost", "1", "wallet 1 had spent it")
        assert "event: operations\ndata: changed" in operator.until("event: operations")
        other.until("\n:\n", 3)

        for stream in streams:
            with app.app_context():
                _wait_until_nothing_is_held()  # a stream looks now and then, and holds nothing while it waits
            assert set(re.findall(r"^data: (.*)$", stream.text, re.MULTILINE)) == {"changed"}
        assert re.findall(r"event: (.*)", other.text) == ["again"]
        assert "operations" not in payer.text + provider.text
        for stream in (provider, operator):
            assert f"wallet-{pair.payer.wallet_id}\n" not in stream.text


@pytest.mark.settings(live=QUICK)
def test_a_stream_ends_with_its_session_and_is_no_use_of_it(
    app: Flask, session: Session, services: Services, pair: Pair, payer: Browser, provider: Browser
) -> None:
    a_while_ago = utcnow() - timedelta(minutes=5)
    with unit_of_work(session):
        session.execute(update(UserSession).values(last_seen_at=a_while_ago))
    with reading(app, payer, provider) as (revoked, other):
        other.until("\n:\n", 3)
        assert set(session.scalars(select(UserSession.last_seen_at))) == {a_while_ago}
        session.rollback()
        services.sessions(session).revoke_all(pair.payer.user)

        assert revoked.join(4)
        assert not other.is_over
        again = payer.client.get("/live", headers={"Accept": "text/event-stream"})
        assert (again.status_code, again.mimetype) == (401, "application/problem+json")


@pytest.mark.settings(
    live={"streams_per_process": 1}, security={"enable_rate_limiting": True, "max_requests_per_minute": 8}
)
def test_without_room_a_page_asks_by_itself_and_streams_use_up_no_requests(
    app: Flask, payer: Browser, provider: Browser
) -> None:
    with reading(app, payer) as (stream,):
        stream.until("event: again")
        refused = [provider.get("/live").status_code for _ in range(12)]

    assert refused == [204] * 12
    page = provider.get("/wallet").text
    assert 'sse-connect="/live"' in page and "poll-15 from:body, every 60s" in page


@pytest.mark.settings(community_fund={"is_public": True})
def test_the_figures_of_the_fund_ask_for_themselves(app: Flask, payer: Browser) -> None:
    stranger = Browser(app)
    for browser in (payer, stranger):
        answer = browser.get("/fund/figures", htmx=True)
        assert 'hx-trigger="sse:fund, sse:again, poll-15 from:body, every 60s"' in answer.text
        assert browser.get("/fund/figures").location == "/fund"
        assert 'id="fund-figures"' in browser.get("/fund").text

    assert "sse-connect" in payer.get("/fund").text
    assert "sse-connect" not in stranger.get("/fund").text
    assert stranger.get("/live").location.startswith("/login")
