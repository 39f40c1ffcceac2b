"""How values look on pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from jinja2 import UndefinedError

from webapp.domain.escrow_states import Status
from webapp.domain.money import Amount
from webapp.web.filters import ago, figure, moment, money, short_id
from webapp.web.states import state_look

NOW = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("flop", "head", "tail"),
    [
        ("95", "95.00", "000000"),
        ("0.5", "0.50", "000000"),
        ("12.12345678", "12.12345678", ""),
        ("1.001", "1.001", "00000"),
        ("1234567.5", "1,234,567.50", "000000"),
    ],
)
def test_an_amount_always_has_its_eight_decimals(flop: str, head: str, tail: str) -> None:
    assert figure(Amount.parse(flop)) == (head, tail)
    assert len((head + tail).partition(".")[2]) == 8


def test_an_amount_in_running_text_does_not_leave_its_unit() -> None:
    assert money(Amount.parse("1234.5")) == "1,234.50000000\u00a0FLOP"


def test_long_identifiers_show_their_two_ends() -> None:
    assert short_id("0198c3f2-1111-7222-8333-44449a41bc00") == "0198c3f2…41bc00"
    assert short_id("key_1234") == "key_1234"


def test_a_moment_carries_the_exact_time() -> None:
    assert moment(NOW) == (
        '<time datetime="2026-01-31T12:00:05Z" title="2026-01-31 12:00:05 UTC">31 Jan 2026, 12:00</time>'
    )


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(seconds=-3), "just now"),
        (timedelta(seconds=20), "in less than a minute"),
        (timedelta(minutes=-1), "1 minute ago"),
        (timedelta(hours=5, minutes=59), "in 5 hours"),
        (timedelta(days=-2), "2 days ago"),
    ],
)
def test_a_distance_in_time_is_said_in_its_largest_unit(distance: timedelta, words: str) -> None:
    with time_machine.travel(NOW, tick=False):
        assert f">{words}</time>" in ago(NOW + distance)


def test_every_state_of_an_escrow_has_a_shape_of_its_own() -> None:
    looks = [state_look(status) for status in Status]

    assert len({look.icon for look in looks}) == len(looks)
    assert all(look.label and look.tone for look in looks)


def test_a_state_that_is_not_known_is_shown_by_its_word() -> None:
    assert state_look("on_hold").label == "On hold"


def test_a_name_that_a_template_does_not_know_is_an_error(app: Flask) -> None:
    with app.app_context(), pytest.raises(UndefinedError):
        app.jinja_env.from_string("{{ nothing }}").render()


def test_money_on_a_page_carries_the_plain_figure_and_its_unit(app: Flask) -> None:
    template = app.jinja_env.from_string('{% from "macros/words.html" import money %}{{ money(amount) }}')

    html = template.render(amount=Amount.parse("1000"))

    assert 'value="1000.00000000"' in html
    assert "FLOP" in html


def test_a_state_on_a_page_is_a_word_and_a_shape(app: Flask) -> None:
    template = app.jinja_env.from_string('{% from "macros/words.html" import state %}{{ state("released") }}')

    html = template.render()

    assert "Released" in html
    assert "<svg" in html
