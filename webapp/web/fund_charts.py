"""The fund's charts, as coordinates: templates draw them as SVG, and write the words beside them as HTML.

A drawing is WIDTH by HEIGHT units, stretched to the width of the page; its origin is at the top left. Amounts become
coordinates by whole-number arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import ngettext

from webapp.domain.money import BASE_UNITS_PER_FLOP, Amount
from webapp.models import Airdrop, CommunityFund
from webapp.web.formats import day, day_and_time, day_of_year, decimal, money, number

WIDTH, HEIGHT = 1000, 260
# Where there are few bars, they are no wider than this.
_WIDEST_BAR = 60


@dataclass(frozen=True, slots=True)
class Point:
    """What the fund held at one moment, and the threshold that was in force."""

    at: datetime
    balance: Amount
    threshold: Amount


@dataclass(frozen=True, slots=True)
class BalanceChart:
    """Lines as SVG has them: "x,y x,y". `scale` are the amounts at the top, in the middle and at the bottom, `times`
    the moments at both sides.
    """

    balance: str
    area: str
    threshold: str
    scale: tuple[str, ...]
    times: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One airdrop as a column."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class AirdropChart:
    """Airdrops side by side, the oldest first."""

    bars: tuple[Bar, ...]
    scale: tuple[str, ...]
    times: tuple[str, ...]
    description: str


def points_of(records: Sequence[CommunityFund], now: Point) -> list[Point]:
    """The records, and the present moment at their end."""
    return [*(Point(each.recorded_at, each.balance, each.airdrop_threshold) for each in records), now]


def balance_chart(points: Sequence[Point]) -> BalanceChart | None:
    """The balance over time with its threshold. None while there is only one moment to show."""
    first, last = points[0].at, points[-1].at
    if last <= first:
        return None
    balances = [point.balance for point in points]
    top = _round_up(max(*balances, *(point.threshold for point in points)))
    places = [_share(_microseconds(first, point.at), _microseconds(first, last), WIDTH) for point in points]
    line = _line(places, balances, top)
    return BalanceChart(
        balance=line,
        area=f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}",
        threshold=_line(places, [point.threshold for point in points], top),
        scale=_scale(top),
        times=_times(first, last),
        description=_(
            "From %(first)s to %(last)s UTC the fund held between %(least)s and %(most)s; it holds %(now)s now. "
            "The threshold is %(threshold)s.",
            first=day_and_time(first),
            last=day_and_time(last),
            least=money(min(balances)),
            most=money(max(balances)),
            now=money(balances[-1]),
            threshold=money(points[-1].threshold),
        ),
    )


def airdrop_chart(airdrops: Sequence[Airdrop]) -> AirdropChart | None:
    """What the airdrops gave, which come newest first. None without any."""
    if not airdrops:
        return None
    top = _round_up(max(each.total for each in airdrops))
    slot = WIDTH // len(airdrops)
    shown = list(reversed(airdrops))
    return AirdropChart(
        bars=tuple(_bar(each, place * slot, slot, top) for place, each in enumerate(shown)),
        scale=_scale(top),
        times=_times(shown[0].taken_at, shown[-1].taken_at),
        description=ngettext(
            "One airdrop, which gave %(newest)s.",
            "The last %(num)d airdrops, the newest on the right: the largest gave %(most)s, the newest %(newest)s.",
            len(shown),
            most=money(max(each.total for each in shown)),
            newest=money(shown[-1].total),
        ),
    )


def short_amount(amount: Amount) -> str:
    """An amount at a chart's edge, without the zeros that say nothing: `1,200`, `2.5`."""
    whole, decimals = str(amount).split(".")
    return number(int(whole)) + decimal(f".{decimals}".rstrip("0").rstrip("."))


def _bar(airdrop: Airdrop, left: int, slot: int, top: Amount) -> Bar:
    # One that gave next to nothing is a line, not nothing.
    height = max(_share(airdrop.total.base_units, top.base_units, HEIGHT), 2)
    width = min(slot * 2 // 3, _WIDEST_BAR)
    return Bar(
        x=left + (slot - width) // 2,
        y=HEIGHT - height,
        width=width,
        height=height,
        kind=airdrop.kind,
        title=_(
            "Airdrop %(number)s, %(day)s: %(amount)s",
            number=airdrop.number,
            day=day(airdrop.taken_at),
            amount=money(airdrop.total),
        ),
    )


def _line(places: Sequence[int], amounts: Sequence[Amount], top: Amount) -> str:
    heights = [HEIGHT - _share(amount.base_units, top.base_units, HEIGHT) for amount in amounts]
    return " ".join(f"{x},{y}" for x, y in zip(places, heights, strict=True))


def _share(part: int, whole: int, size: int) -> int:
    return part * size // whole


def _microseconds(start: datetime, end: datetime) -> int:
    passed = end - start
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _scale(top: Amount) -> tuple[str, ...]:
    return tuple(short_amount(Amount(part)) for part in (top.base_units, top.base_units // 2, 0))


def _times(first: datetime, last: datetime) -> tuple[str, ...]:
    if first == last:
        return (day(first),)
    if last - first >= timedelta(days=2):
        return day(first), day(last)
    return tuple(f"{day_of_year(each)}, {each:%H:%M}" for each in (first, last))


def _round_up(largest: Amount) -> Amount:
    """The next of 1, 2, 5, 10, 20, ... that is not smaller; 1 FLOP for nothing."""
    units = largest.base_units or BASE_UNITS_PER_FLOP
    magnitude = 10 ** (len(str(units)) - 1)
    return Amount(next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= units))
