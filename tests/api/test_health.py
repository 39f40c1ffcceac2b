"""Health: what is looked at, and what makes the service unready."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy.orm
from flask import Flask
from sqlalchemy import create_engine, text, update

from tests.support.chain import Chain
from webapp.config import RpcSettings, Settings
from webapp.domain.clock import utcnow
from webapp.models import WorkerTask
from webapp.services import worker_tasks
from webapp.services.daemon.shared import daemon_for
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.health import Check, check_health
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_rpc import WalletRpc


def _ready(app: Flask) -> tuple[int, dict[str, Any]]:
    response = app.test_client().get("/health/ready")
    return response.status_code, response.json


def _tick(session: sqlalchemy.orm.Session, error: str = "", age: timedelta = timedelta(0)) -> None:
    worker_tasks.take(session, "settlement")
    worker_tasks.finish(session, "settlement", error)
    with unit_of_work(session):
        session.execute(update(WorkerTask).values(last_run_at=utcnow() - age))


def test_it_lives_as_long_as_it_answers(app: Flask) -> None:
    response = app.test_client().get("/health/live")
    assert (response.status_code, response.json) == (200, {"status": "ok"})


def test_with_everything_in_place_it_is_ready(
    chain: Chain, app: Flask, session: sqlalchemy.orm.Session
) -> None:
    _tick(session)
    status, health = _ready(app)
    assert (status, health["status"]) == (200, "ok")
    assert set(health["checks"]) == {"database", "migrations", "worker", "daemon"}
    assert all(check["ok"] for check in health["checks"].values())
    assert "regtest" in health["checks"]["daemon"]["detail"]


def test_without_the_daemon_it_is_degraded_but_ready(app: Flask, session: sqlalchemy.orm.Session) -> None:
    _tick(session, "the daemon said no")
    status, health = _ready(app)
    assert (status, health["status"]) == (200, "degraded")
    assert not health["checks"]["daemon"]["ok"]
    assert "failing: settlement" in health["checks"]["worker"]["detail"]
    assert "said no" not in str(health)


@pytest.mark.settings(wallet={"network": "main"})
def test_a_daemon_of_another_network_is_told(
    chain: Chain, app: Flask, session: sqlalchemy.orm.Session
) -> None:
    _tick(session)
    status, health = _ready(app)
    assert (status, health["status"]) == (200, "degraded")
    assert health["checks"]["daemon"]["detail"] == "runs on regtest, and this service is for main"


def test_a_silent_worker_makes_it_unready(app: Flask, session: sqlalchemy.orm.Session) -> None:
    status, health = _ready(app)
    assert (status, health["status"]) == (503, "failing")
    assert "never run" in health["checks"]["worker"]["detail"]
    _tick(session, age=timedelta(minutes=10))
    status, health = _ready(app)
    assert (status, health["checks"]["worker"]["ok"]) == (503, False)
    assert "silent for 600" in health["checks"]["worker"]["detail"]


def test_an_old_schema_makes_it_unready(app: Flask, session: sqlalchemy.orm.Session) -> None:
    _tick(session)
    with unit_of_work(session):
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    status, health = _ready(app)
    assert (status, health["checks"]["migrations"]["ok"]) == (503, False)
    assert "make migrate" in health["checks"]["migrations"]["detail"]


def test_a_database_that_is_gone_makes_it_unready(settings: Settings) -> None:
    engine = create_engine("postgresql+psycopg://somebody@127.0.0.1:1/none")
    with sqlalchemy.orm.Session(engine) as session:
        health = check_health(session, daemon_for(settings), "0002")
    assert (health.status, health.is_ready) == ("failing", False)
    assert health.checks["database"] == Check(False, "the database does not answer")
    assert "127.0.0.1" not in str(health.as_dict())


def test_a_daemon_that_hangs_does_not_hang_us(settings: Settings, session: sqlalchemy.orm.Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rpc = RpcSettings(port=silent.getsockname()[1], timeout=8, retry_attempts=0)
        daemon = DaemonWallet(WalletRpc(rpc), settings.wallet)
        began = time.monotonic()
        health = check_health(session, daemon, "0002")
        assert time.monotonic() - began < 4
        assert health.checks["daemon"].detail == "the coin daemon does not answer in time"
        assert sum(thread.name == "daemon-health" for thread in threading.enumerate()) <= 1
