"""Downtime costs nobody: outages are noticed, deadlines move by them, and nothing expires while they last."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import pytest
import time_machine
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.money import balances, credit
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_pair, manager, signature
from webapp.domain.exceptions import PermissionDeniedError, RpcUnavailableError
from webapp.domain.roles import WORKER
from webapp.models import Alert, Escrow, Outage, Pulse
from webapp.services import audit_trail, downtime
from webapp.services.container import Services
from webapp.services.daemon.answers import Tip
from webapp.services.downtime import PulseTaker
from webapp.services.escrow_clock import EscrowClock
from webapp.services.fair_clocks import FairClocks
from webapp.services.unit_of_work import unit_of_work

START = datetime(2030, 1, 1, tzinfo=UTC)
DEADLINE, WINDOW = timedelta(hours=168), timedelta(hours=72)
SECOND = timedelta(seconds=1)


class Service:
    """A worker's clockwork under a clock of the test's own. `is_daemon_up` is what it hears from the daemon."""

    def __init__(self, session: Session, services: Services, clock: time_machine.Traveller) -> None:
        self.session, self.services, self._clock = session, services, clock
        self.is_daemon_up = True
        self.pulse = PulseTaker(session, services.settings, services.daemon)

    def tip(self) -> Tip:
        if not self.is_daemon_up:
            raise RpcUnavailableError("the coin daemon does not answer")
        return Tip(1, "00" * 32)

    def move_to(self, moment: datetime) -> None:
        """Let time pass without anybody at work."""
        self._clock.move_to(moment)

    def live_until(self, moment: datetime) -> None:
        """Let time pass with everybody at work, as if there had been a tick every second; the last one is now."""
        with unit_of_work(self.session):
            self.session.execute(update(Pulse).values(last_good_at=moment - SECOND))
        self.move_to(moment)
        self.tick()

    def tick(self) -> None:
        """What the worker does at a tick, as far as escrows are concerned."""
        self.pulse.take()
        FairClocks(self.session).run()
        manager = self.services.escrow_manager(self.session, WORKER)
        EscrowClock(self.session, manager, self.services.settings).run()

    def outages(self) -> list[tuple[str, datetime, datetime]]:
        rows = self.session.scalars(select(Outage).order_by(Outage.id))
        return [(row.parts, row.started_at, row.ended_at) for row in rows]

    def status(self, escrow: Escrow) -> str:
        self.session.refresh(escrow)
        return escrow.status


@pytest.fixture
def service(session: Session, services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with time_machine.travel(START, tick=False) as clock:
        made = Service(session, services, clock)
        monkeypatch.setattr(services.daemon, "tip", made.tip)
        made.tick()
        yield made


@pytest.fixture
def pair(service: Service) -> Pair:
    made = make_pair(service.session, service.services)
    credit(service.session, made.payer.wallet_id, "1000")
    return made


def deliver(service: Service, pair: Pair, escrow: Escrow) -> None:
    provider = manager(service.session, service.services, pair.provider)
    provider.deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))


def told(service: Service, escrow: Escrow) -> list[str]:
    return [
        f"{entry.kind} {entry.detail.get('lost', '')}".strip()
        for entry in audit_trail.entries(service.session, escrow.id)
    ]


def test_a_deadline_that_passed_while_the_worker_was_away_is_extended(service: Service, pair: Pair) -> None:
    lazy = make_escrow(service.session, service.services, pair, "100")
    busy = make_escrow(service.session, service.services, pair, "50")
    deadline = lazy.expires_at
    service.live_until(deadline - timedelta(hours=1))
    service.move_to(deadline + timedelta(hours=2))
    # The site serves on, and is fair before the worker is back.
    with pytest.raises(PermissionDeniedError):
        manager(service.session, service.services, pair.payer).refund_escrow(lazy.id, "it is late")
    deliver(service, pair, busy)
    service.tick()
    assert service.status(busy) == "delivered"
    assert (service.status(lazy), lazy.expires_at) == ("active", deadline + timedelta(hours=3))
    assert told(service, lazy) == ["created", "deadline_extended 3 h"]
    assert told(service, busy) == ["created", "delivered"]
    service.live_until(lazy.expires_at - SECOND)
    assert service.status(lazy) == "active"
    service.live_until(lazy.expires_at)
    assert service.status(lazy) == "refunded"
    assert balances(service.session, pair.payer.wallet_id) == ("950.00000000", "50.00000000")


def test_while_the_daemon_is_away_nothing_expires_and_afterwards_all_the_time_is_there(
    service: Service, pair: Pair
) -> None:
    early = make_escrow(service.session, service.services, pair, "10", expires_at=START + timedelta(hours=1))
    late = make_escrow(service.session, service.services, pair, "20", expires_at=START + timedelta(hours=9))
    service.is_daemon_up = False
    for minutes in range(1, 121):
        service.move_to(START + timedelta(minutes=minutes))
        service.tick()
    assert service.status(early) == "active" and service.outages() == []
    assert service.session.scalars(select(Alert.subject)).all() == ["daemon"]
    service.is_daemon_up = True
    service.tick()
    assert service.outages() == [("daemon", START, START + timedelta(hours=2))]
    assert (service.status(early), early.expires_at) == ("active", START + timedelta(hours=3))
    assert (service.status(late), late.expires_at) == ("active", START + timedelta(hours=11))
    assert told(service, late) == ["created", "deadline_extended 2 h"]
    service.tick()
    assert told(service, late) == ["created", "deadline_extended 2 h"], "once"


def test_the_time_to_object_stands_still_too(service: Service, pair: Pair) -> None:
    escrow = make_escrow(service.session, service.services, pair, "100")
    deliver(service, pair, escrow)
    assert escrow.accept_by == START + WINDOW
    service.move_to(START + WINDOW + timedelta(hours=1))
    payer = manager(service.session, service.services, pair.payer)
    assert payer.dispute_escrow(escrow.id, "it is not what I ordered").status == "disputed"
    service.tick()
    assert service.status(escrow) == "disputed"


def test_a_deadline_that_had_passed_before_the_outage_is_acted_on(service: Service, pair: Pair) -> None:
    escrow = make_escrow(service.session, service.services, pair, "10", expires_at=START + timedelta(hours=1))
    service.is_daemon_up = False
    service.move_to(START + 5 * SECOND)
    service.pulse.take()
    with unit_of_work(service.session):
        escrow.expires_at = START
    service.move_to(START + timedelta(hours=5))
    service.tick()
    assert service.status(escrow) == "refunded"


def test_short_pauses_are_no_outage_and_two_workers_write_one(service: Service) -> None:
    service.move_to(START + 19 * SECOND)
    service.tick()
    assert service.outages() == []
    service.move_to(START + 60 * SECOND)
    other = PulseTaker(service.session, service.services.settings, service.services.daemon)
    service.pulse.take()
    other.take()
    assert service.outages() == [("daemon,worker", START + 19 * SECOND, START + 60 * SECOND)]


class _Site(BaseHTTPRequestHandler):
    answer = 200

    def do_GET(self) -> None:
        self.send_response(type(self).answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_a_site_that_does_not_answer_is_an_outage(service: Service) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/health/live"
        watching = service.services.settings.model_copy(
            update={"worker": service.services.settings.worker.model_copy(update={"site_url": url})}
        )
        pulse = PulseTaker(service.session, watching, service.services.daemon)
        for seconds, answer in ((1, 200), (15, 503), (30, 503), (50, 404)):
            _Site.answer = answer
            service.move_to(START + seconds * SECOND)
            pulse.take()
        server.shutdown()
    assert service.outages() == [("site", START + SECOND, START + 50 * SECOND)]
    service.move_to(START + 55 * SECOND)
    pulse.take()
    service.move_to(START + 100 * SECOND)
    since = downtime.ongoing(service.session, watching, START + 100 * SECOND)
    assert since == START + 50 * SECOND


def test_whatever_the_site_answers_the_worker_goes_on(service: Service) -> None:
    class Gibberish(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"\x15\x03\x01\x00\x02\x02\x46")

    with socketserver.TCPServer(("127.0.0.1", 0), Gibberish) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        watching = service.services.settings.model_copy(
            update={"worker": service.services.settings.worker.model_copy(update={"site_url": url})}
        )
        service.move_to(START + 30 * SECOND)
        PulseTaker(service.session, watching, service.services.daemon).take()
        server.shutdown()
    assert service.outages() == []
    assert downtime.ongoing(service.session, watching, START + 30 * SECOND) == START


def test_a_worker_that_runs_once_closes_what_another_left_open_and_starts_nothing(
    service: Service, pair: Pair
) -> None:
    escrow = make_escrow(service.session, service.services, pair, "10", expires_at=START + timedelta(hours=1))
    service.move_to(START + timedelta(hours=2))
    service.pulse.close()
    FairClocks(service.session).run()
    assert service.outages() == [("daemon,worker", START, START + timedelta(hours=2))]
    service.session.refresh(escrow)
    assert escrow.expires_at == START + timedelta(hours=3)
    service.move_to(START + timedelta(hours=9))
    service.pulse.close()
    assert len(service.outages()) == 1
    manager_of_worker = service.services.escrow_manager(service.session, WORKER)
    EscrowClock(service.session, manager_of_worker, service.services.settings).run()
    assert service.status(escrow) == "refunded"
