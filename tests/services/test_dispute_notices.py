"""A dispute tells those who have to do something, and reminds them before their time is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.disputes import Court
from tests.support.people import Person
from webapp.config import Settings
from webapp.domain.disputes.rungs import Rung
from webapp.models import Notice
from webapp.services.container import Services
from webapp.services.notices.run import NoticeRun

START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_dispute_is_told_to_whoever_has_to_do_something(
    session: Session, services: Services, settings: Settings
) -> None:
    def told(person: Person) -> list[str]:
        NoticeRun(session, settings).run()
        mine = (Notice.user_id == person.user.id) & Notice.kind.not_like("security.%")
        kinds = list(session.scalars(select(Notice.kind).where(mine).order_by(Notice.id)))
        session.commit()
        return kinds

    with time_machine.travel(START, tick=False) as clock:
        court = Court(session, services)
        escrow = court.escrow()
        told(court.payer)
        court.bring_to(Rung.ARBITRATION, escrow)
        (arbiter,) = court.seated(escrow)
        bystander = next(each for each in court.arbiters if each.user.id != arbiter.user.id)
        assert told(court.provider)[1:] == ["provides.disputed"]
        assert told(court.payer)[1:] == ["pays.dispute_goes_on"] * 2
        assert told(arbiter).count("arbiter.assigned") == 1

        ends_at = court.dispute(escrow).rung_ends_at
        for hours in (24, 4):
            clock.move_to(ends_at - timedelta(hours=hours))
            court.tick()
            assert "arbiter.decide_soon" in told(arbiter)
        assert told(arbiter).count("arbiter.decide_soon") == 2
        assert "arbiter.decide_soon" not in told(bystander)

        court.judge(arbiter).rule(escrow.id, 5000, "Half was done.")
        assert told(court.payer)[-1] == "pays.ruling" and told(court.provider)[-1] == "provides.ruling"
        clock.move_to(court.dispute(escrow).rung_ends_at - timedelta(hours=1))
        # Of several times that have passed, the nearest reminds.
        assert (
            told(court.payer)[-1] == "pays.appeal_soon" and told(court.payer).count("pays.appeal_soon") == 1
        )
        # Who has decided is not reminded any more.
        assert told(arbiter).count("arbiter.decide_soon") == 2

        clock.move_to(court.dispute(escrow).rung_ends_at)
        court.tick()
        assert told(court.payer)[-1] == "pays.resolved" and told(court.provider)[-1] == "provides.resolved"
