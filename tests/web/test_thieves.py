"""What a thief, or a crowd, would try: each case was possible once or is one careless line away."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.browsing import PASSWORD, Browser
from tests.support.people import make_person
from webapp import create_app
from webapp.config import Settings, load_config
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import InvalidCredentialsError, ValidationError, WrongNetworkError
from webapp.extensions import db
from webapp.models import DepositAddress
from webapp.services import identity as identity_module
from webapp.services import signing_keys as signing_keys_module
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work
from webapp.web.json_bodies import ExactJsonProvider

REGTEST_ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


def test_an_instance_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "instance"
    folder.mkdir(mode=0o755)
    (folder / "config.yaml").write_text("")
    app = create_app(load_config(folder / "config.yaml"))
    with app.app_context(), unit_of_work(db.session()):
        pass
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.glob("escrow.db*")]}
    with app.app_context():
        db.engine.dispose()
    assert modes["instance"] == 0o700
    assert {mode for name, mode in modes.items() if name != "instance"} == {0o600}


def test_a_database_of_play_money_does_not_start_on_another_network(
    settings: Settings, session: Session
) -> None:
    with unit_of_work(session):
        session.add(DepositAddress(address=REGTEST_ADDRESS))
    on_main = settings.model_copy(update={"wallet": settings.wallet.model_copy(update={"network": "main"})})
    with pytest.raises(WrongNetworkError, match="another network"):
        create_app(on_main)


def test_a_page_that_refreshes_itself_keeps_nobody_logged_in(app: Flask, browser: Browser) -> None:
    browser.register("somebody@example.com")
    start = utcnow()
    for minutes in (10, 20, 29):
        with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
            assert browser.get("/wallet/movements", htmx=True).status_code == 200
    with time_machine.travel(start + timedelta(minutes=31), tick=False):
        assert browser.get("/wallet").status_code == 303


def test_a_password_that_was_changed_meanwhile_opens_no_session(session: Session, services: Services) -> None:
    identity, sessions = services.identity(session), services.sessions(session)
    identity.register("victim@example.com", PASSWORD, "payer")
    stolen = identity.authenticate("victim@example.com", PASSWORD)
    session.expunge(stolen)  # the thief's request has a memory of its own

    identity.change_password(
        identity.authenticate("victim@example.com", PASSWORD), PASSWORD, "another password"
    )

    with pytest.raises(InvalidCredentialsError):
        sessions.open(stolen)


@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 1000})
def test_a_whole_ipv6_network_counts_as_one_visitor(app: Flask) -> None:
    answers = []
    for number in range(12):
        browser = Browser(app)
        browser.client.environ_base["REMOTE_ADDR"] = f"2001:db8::{number + 1:x}"
        answers.append(browser.log_in("victim@example.com", "a wrong password").status_code)
    assert answers == [422] * 10 + [429] * 2


def test_a_crowd_at_the_door_is_turned_away_and_holds_nobody_up(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_module, "_LONGEST_WAIT_SECONDS", 0.01)
    with identity_module._HASHING_SLOTS, identity_module._HASHING_SLOTS:
        assert browser.log_in("somebody@example.com").status_code == 503
    assert browser.log_in("somebody@example.com").status_code == 422


def test_a_wallet_has_so_many_keys_and_no_more(
    session: Session, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys_module, "MAX_KEYS_PER_WALLET", 2)
    wallet_id = make_person(session, services).wallet_id
    keys = services.signing_keys(session)
    first, _second = (keys.create(wallet_id, ["fund:read"]) for _ in range(2))
    with pytest.raises(ValidationError, match="2 keys that work"):
        keys.create(wallet_id, ["fund:read"])
    keys.revoke(first.key_id, frozenset({wallet_id}))
    keys.create(wallet_id, ["fund:read"])


@pytest.mark.parametrize(
    "body", ['{"amount": 1e99999999999999999999}', '{"metadata": ' + "[" * 80 + "]" * 80 + "}"]
)
def test_numbers_and_depths_beyond_all_use_are_malformed(app: Flask, body: str) -> None:
    with pytest.raises(ValueError, match=r"exponent|deep"):
        ExactJsonProvider(app).loads(body)
    assert json.loads('{"amount": 1e-7}')
