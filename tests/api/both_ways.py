"""The same requests sent to two instances with the same history, of which one never takes the hot path."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.conftest import World, make_world
from tests.support.compiled import share_statements, share_templates
from tests.support.databases import Databases, check_database
from tests.support.instances import write_config
from tests.support.people import RESULT_HASH
from tests.support.repeatable import everything_in, the_same_again
from tests.support.signing import Program
from webapp import create_app
from webapp.config import load_config
from webapp.domain.canonical import sign_result
from webapp.domain.money import Amount
from webapp.extensions import db
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.escrow_manager import EscrowManager
from webapp.services.express.lane import ExpressLane
from webapp.services.key_ring import KeyRing

MOVES = ("create", "deliver", "release", "refund")


class Teller:
    """Sends requests and notes how they were answered; says so when one did not go the way that it should."""

    def __init__(self, world: World, clock: Any, calls: list[str], *, has_lane: bool) -> None:
        self.world = world
        self.clock = clock
        self.answers: list[tuple[str, int, Any, dict[str, str]]] = []
        self._calls = calls
        self._has_lane = has_lane

    def express(self, program: Program, path: str, body: Any = None, **options: Any) -> Any:
        """One that the hot path serves."""
        before = len(self._calls)
        response = self._send(program, path, body, **options)
        assert response.status_code in (200, 201), (path, response.text)
        assert len(self._calls) - before == (0 if self._has_lane else 1), path
        return response.json

    def ordinary(
        self, program: Program, path: str, body: Any = None, status: int = 200, **options: Any
    ) -> Any:
        """One that it leaves to the ordinary way."""
        before = len(self._calls)
        response = self._send(program, path, body, **options)
        assert response.status_code == status, (path, body, response.text)
        assert len(self._calls) == before + 1, (path, body, response.text)
        return response.json

    def other(self, program: Program, path: str, body: Any = None, status: int = 200, **options: Any) -> Any:
        """One that neither does: it is refused before, or was answered once already, or is about something else."""
        response = self._send(program, path, body, **options)
        assert response.status_code == status, (path, body, response.text)
        return response.json

    def _send(self, program: Program, path: str, body: Any, **options: Any) -> TestResponse:
        self.clock.shift(timedelta(seconds=1))
        response = program.post(path, body, **options)
        self.answers.append((path, response.status_code, response.json, dict(response.headers)))
        return response

    def escrow(self, amount: str = "10", **terms: Any) -> str:
        """The path of a new escrow."""
        made = self.other(self.world.payer, "/escrow/create", self.world.terms(amount=amount, **terms), 201)
        return f"/escrow/{made['id']}"

    def result(
        self, path: str, amount: str = "10", secret: str = "", of: str = RESULT_HASH
    ) -> dict[str, str]:
        """The result of an escrow, signed."""
        secret = secret or self.world.pair.key.secret
        signature = sign_result(secret, uuid.UUID(path.rpartition("/")[2]), Amount.parse(amount), of)
        return {"result_hash": of, "provider_signature": signature}


Story = Callable[[Teller], None]


@contextmanager
def counted_calls() -> Iterator[list[str]]:
    """Which of the moves the ordinary way was asked for, in order."""
    calls: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in (f"{move}_escrow" for move in MOVES):
            patch.setattr(EscrowManager, name, _counted(getattr(EscrowManager, name), calls))
        yield calls


def _counted(method: Any, calls: list[str]) -> Any:
    def called(*given: Any, **more: Any) -> Any:
        calls.append(method.__name__)
        return method(*given, **more)

    return called


@contextmanager
def instance(url: str, folder: Path) -> Iterator[World]:
    """Who there is, in an instance of their own."""
    settings = load_config(write_config(folder, {"database": {"url": url}}))
    app = share_templates(create_app(settings))
    app.testing = True
    made: Services = app.extensions["duxos"]
    app.extensions["duxos"] = replace(made, key_ring=KeyRing(made.secret_box, ask_every=0))
    try:
        with Session(settings) as session:
            share_statements(session.get_bind().engine)
            yield make_world(app, session, Services.of(settings))
        session.get_bind().engine.dispose()
    finally:
        app.extensions["duxos_live"].close()
        with app.app_context():
            db.engine.dispose()


def drawing_again(move: Any, lots: random.Random) -> Any:
    """The hot path, which leaves no gap in what is drawn by lot when it does nothing."""

    def made(*given: Any) -> Any:
        before = lots.getstate()
        answer = move(*given)
        if answer is None:
            lots.setstate(before)
        return answer

    return made


def closed(*_: Any) -> None:
    """The hot path where it is never taken."""


def tell(
    stories: Iterable[Story], databases: Databases, folder: Path, *, has_lane: bool
) -> tuple[list[Any], dict[str, Any]]:
    """Tell the stories in a new database, one after another. What was answered, and what the database holds then."""
    url = databases.create()
    try:
        with (
            the_same_again() as (clock, lots),
            counted_calls() as calls,
            instance(url, folder) as world,
            pytest.MonkeyPatch.context() as patch,
        ):
            for move in MOVES:
                lane = drawing_again(getattr(ExpressLane, move), lots) if has_lane else closed
                patch.setattr(ExpressLane, move, lane)
            teller = Teller(world, clock, calls, has_lane=has_lane)
            for story in stories:
                story(teller)
        check_database(url)
        return teller.answers, everything_in(url)
    finally:
        databases.drop(url)


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Where two documents differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(one.keys() | other.keys())
        return [
            each for name in names for each in differences(one.get(name), other.get(name), f"{at}.{name}")
        ]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [each for place, pair in pairs for each in differences(*pair, f"{at}[{place}]")]
    return [] if one == other else [f"{at}: {one!r} is not {other!r}"]
