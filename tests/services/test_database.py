"""Connections that the server has ended while nobody used them."""

from __future__ import annotations

import pytest
from sqlalchemy import event, make_url, text

from tests.support.postgres import PostgresCluster
from webapp.config import Settings
from webapp.services.database import Session

pytestmark = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)


def test_nobody_is_given_a_connection_that_the_server_has_ended(
    settings: Settings, postgres_cluster: PostgresCluster
) -> None:
    made: list[object] = []
    sessions = [Session(settings) for _ in range(2)]
    engine = sessions[0].get_bind().engine
    event.listen(engine, "connect", lambda *known: made.append(known))
    for _ in range(2):
        for session in sessions:
            session.execute(text("SELECT 1"))
        for session in sessions:
            session.close()
    assert len(made) == 2, "connections are used again"
    postgres_cluster.end_connections(make_url(settings.database_url).database or "")
    for session in sessions:
        assert session.execute(text("SELECT 1")).scalar() == 1
    assert len(made) == 4
    for session in sessions:
        session.close()
    engine.dispose()
