"""Whether the service has been there for its users, and when it was not: pulses, outages, fair deadlines.

The worker that runs all the time takes the pulse of each part: of itself, of the daemon, and of the site if
`worker.site_url` says where people reach it. A pause of more than `worker.outage_after_seconds` in which not all of
them worked is an outage. It is written down when all of them work again; until then every clock stands still.

`flask worker --once` takes no pulse: whoever runs it now and then decides when, and nothing is down meanwhile. What a
worker that ran all the time has left open is closed by it.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import TERMINAL, Terms
from webapp.domain.exceptions import WalletIntegrationError
from webapp.domain.fair_time import Pause, extended, in_words
from webapp.models import Escrow, Outage, Pulse
from webapp.models.insert_once import insert_once
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.express.rows import AnyEscrow
from webapp.services.payouts.halts import raise_alert
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

SERVICE = "service"
SITE_PATIENCE_SECONDS = 3
ALERT_AFTER = timedelta(minutes=5)


class PulseTaker:
    """One running worker's look at all parts, at every tick."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._threshold = timedelta(seconds=settings.worker.outage_after_seconds)
        self._site_url = settings.worker.site_url
        self._daemon = daemon

    def take(self) -> None:
        """Write down which parts work; when all do again after a pause, the outage that it was."""
        parts = {"worker": True, "daemon": self._daemon_works()}
        if self._site_url:
            parts["site"] = self._site_works()
        now = utcnow()
        with unit_of_work(self._session):
            # The row of the whole is locked first: several workers take turns, and one outage is written once.
            last_good = self._lock_service(now)
            if all(parts.values()):
                self._recover(last_good, now)
            elif now - last_good > ALERT_AFTER:
                failed = ", ".join(part for part, works in parts.items() if not works)
                detail = f"out since {last_good:%Y-%m-%d %H:%M:%S} UTC; every deadline stands still meanwhile"
                raise_alert(self._session, "outage", failed, detail)
            for part, works in parts.items():
                if works:
                    self._note(part, now)

    def close(self) -> None:
        """Write down the outage that a vanished worker left open, and forget the pulses: nobody takes them any more."""
        with unit_of_work(self._session):
            pulse = select(Pulse.last_good_at).where(Pulse.part == SERVICE).with_for_update()
            last_good = self._session.execute(pulse).scalar()
            if last_good is None:
                return
            self._recover(last_good, utcnow())
            self._session.flush()
            self._session.execute(delete(Pulse).execution_options(synchronize_session=False))

    def _lock_service(self, now: datetime) -> datetime:
        insert_once(self._session, Pulse, {"part": SERVICE, "last_good_at": now})
        return self._session.execute(
            select(Pulse.last_good_at).where(Pulse.part == SERVICE).with_for_update()
        ).scalar_one()

    def _recover(self, last_good: datetime, now: datetime) -> None:
        if now - last_good > self._threshold:
            failed = ",".join(self._silent_parts(now)) or SERVICE
            self._session.add(Outage(parts=failed, started_at=last_good, ended_at=now))
            log.warning("outage_ended", parts=failed, lasted=in_words(now - last_good))
        self._note(SERVICE, now)

    def _silent_parts(self, now: datetime) -> list[str]:
        """The parts whose own pulse was missing for that long."""
        statement = select(Pulse.part).where(
            Pulse.part != SERVICE, Pulse.last_good_at < now - self._threshold
        )
        return sorted(self._session.scalars(statement))

    def _note(self, part: str, now: datetime) -> None:
        if not insert_once(self._session, Pulse, {"part": part, "last_good_at": now}):
            pulse = self._session.get_one(Pulse, part, populate_existing=True)
            pulse.last_good_at = max(pulse.last_good_at, now)

    def _daemon_works(self) -> bool:
        try:
            self._daemon.tip()
        except WalletIntegrationError:
            return False
        return True

    def _site_works(self) -> bool:
        """Whether somebody answers there, with anything but a failure of their own."""
        try:
            with urllib.request.urlopen(self._site_url, timeout=SITE_PATIENCE_SECONDS):  # noqa: S310  (from the settings)
                return True
        except urllib.error.HTTPError as error:
            return error.code < 500
        except (OSError, http.client.HTTPException) as error:
            log.warning("site_out_of_reach", reason=str(error))
            return False


def ongoing(session: Session, settings: Settings, now: datetime) -> datetime | None:
    """Since when the service has been out; None while it works, and where no worker takes its pulse."""
    last_good = session.execute(select(Pulse.last_good_at).where(Pulse.part == SERVICE)).scalar()
    if last_good is None:
        return None
    is_out = now - last_good > timedelta(seconds=settings.worker.outage_after_seconds)
    return last_good if is_out else None


def fair_terms(session: Session, settings: Settings, escrow: AnyEscrow) -> Terms:
    """The escrow's terms with its deadlines as they are by rights: extended by every outage, the present one included.

    Two small queries, and only for a deadline of a live escrow that seems to have passed.
    """
    terms, now = escrow.terms, utcnow()
    has_passed = terms.has_expired(now) or terms.window_is_over(now) or terms.funding_is_over(now)
    if not has_passed or terms.status in TERMINAL:
        return terms
    pauses = lost_until(session, settings, now, escrow.outage_id, escrow.created_at)
    delivered = escrow.delivered_at or escrow.created_at
    accept_by = terms.accept_by and extended(terms.accept_by, delivered, pauses)
    return replace(
        terms,
        expires_at=extended(terms.expires_at, escrow.created_at, pauses),
        accept_by=accept_by,
        fund_by=terms.fund_by and extended(terms.fund_by, escrow.created_at, pauses),
    )


def lost_until(
    session: Session, settings: Settings, now: datetime, outage_id: int, clock_start: datetime
) -> list[Pause]:
    """The outages after the one with this id that a clock ran into, and the present one as far as it has lasted."""
    # In this order: an outage that ends between the two looks is found by the second one.
    since = ongoing(session, settings, now)
    pauses = outages_after(session, outage_id, clock_start)
    if since is not None:
        since = max([since, *(pause.end for pause in pauses)])
        pauses.append(Pause(since, now + timedelta.resolution))
    return pauses


def unapplied(session: Session, escrow: Escrow) -> list[Pause]:
    """The outages that the escrow's clocks ran into and have not been extended for."""
    return outages_after(session, escrow.outage_id, escrow.created_at)


def lost_time(session: Session, settings: Settings, since: datetime) -> list[Pause]:
    """Every time after `since` that does not count, up to now: the outages, and the one that goes on."""
    return lost_until(session, settings, utcnow(), 0, since)


def outages_after(session: Session, outage_id: int, clock_start: datetime) -> list[Pause]:
    """The outages that were written down after the one with this id, as far as a clock ran into them."""
    rows = session.execute(
        select(Outage.started_at, Outage.ended_at)
        .where(Outage.id > outage_id, Outage.ended_at > clock_start)
        .order_by(Outage.id)
    )
    return [Pause(row.started_at, row.ended_at) for row in rows]
