"""The operators' figures in Prometheus' text form, from the database alone.

Amounts are base units: what Prometheus makes of large ones is a float, good for a curve and for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.services.operations_overview import Figures, figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(session: Session, settings: Settings) -> bytes:
    """Everything that `figures` knows, in a fixed number of queries."""
    registry = CollectorRegistry()
    registry.register(_Figures(figures(session, settings)))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, known: Figures) -> None:
        self._known = known

    def collect(self) -> Iterator[Metric]:
        now = utcnow()
        yield from _chain(self._known, now)
        yield from _worker(self._known, now)
        yield from _payouts(self._known, now)
        yield from _reserves(self._known)
        yield from _attention(self._known)


def _chain(known: Figures, now: datetime) -> Iterator[Metric]:
    if known.tip is not None:
        yield _gauge("chain_tip_height", "The last block that was read.", known.tip.tip_height)
        yield _gauge("chain_read_age_seconds", "Since the chain was last read.", _age(known.tip.read_at, now))
    if known.daemon is not None:
        lag = known.daemon.headers - known.daemon.block_height
        yield _gauge("daemon_lag_blocks", "Blocks that the daemon knows of and has not read.", lag)
        yield _gauge("daemon_coins", "Unspent outputs in the daemon's wallet.", known.daemon.coins)
        rate = known.daemon.fee_rate.base_units
        yield _gauge("daemon_fee_rate_base_units", "What a kilobyte costs.", rate)


def _worker(known: Figures, now: datetime) -> Iterator[Metric]:
    runs = [(task.name, _age(task.last_run_at, now)) for task in known.tasks if task.last_run_at]
    yield _gauges("worker_task_age_seconds", "Since the task ran last.", "task", runs)
    failing = [(task.name, int(bool(task.last_error))) for task in known.tasks]
    yield _gauges("worker_task_failing", "1 when the task's last run failed.", "task", failing)
    out = _age(known.out_since, now) if known.out_since else 0
    yield _gauge("outage_seconds", "How long the service has been out; 0 while it works.", out)


def _payouts(known: Figures, now: datetime) -> Iterator[Metric]:
    states = known.payouts
    yield _gauges("payouts", "Payouts by state.", "status", [(each.status, each.count) for each in states])
    totals = [(each.status, each.total.base_units) for each in states]
    yield _gauges("payouts_base_units", "What they add up to.", "status", totals)
    ages = [(each.status, _age(each.oldest, now)) for each in states]
    yield _gauges("payouts_oldest_age_seconds", "How long the oldest has been in that state.", "status", ages)
    halts = [(halt.cause, 1) for halt in known.halts]
    yield _gauges("payouts_halted", "1 for each cause that halts payouts.", "cause", halts)


def _reserves(known: Figures) -> Iterator[Metric]:
    yield _gauge("fund_base_units", "The community fund.", known.fund)
    yield _gauge("losses_base_units", "Below zero: what was lost to reorganisations and dust.", known.losses)
    latest = known.reconciliation
    if latest is None:
        return
    for name, meaning in (
        ("owed", "What people and the fund own here."),
        ("in_flight", "Asked out and not final."),
        ("cold", "Coins in cold storage."),
        ("expected", "What the daemon must hold."),
        ("held", "What the daemon holds."),
        ("unexplained", "What it holds beyond that; negative when coins are missing."),
    ):
        yield _gauge(f"reconciliation_{name}_base_units", meaning, getattr(latest, name))
    yield _gauge("reconciliation_block_height", "The block that was reconciled last.", latest.block_height)


def _attention(known: Figures) -> Iterator[Metric]:
    kinds = sorted(known.alert_kinds.items())
    yield _gauges("alerts", "Alerts that nobody has put away.", "kind", kinds)
    yield _gauge("wallets_frozen", "Wallets that nothing leaves.", known.frozen_wallets)
    yield _gauge("unexplained_coins", "Coins that nobody can explain.", known.open_coins)


def _gauge(name: str, meaning: str, value: int) -> Metric:
    return GaugeMetricFamily(f"duxos_{name}", meaning, value=value)


def _gauges(name: str, meaning: str, label: str, values: Iterable[tuple[str, int]]) -> Metric:
    family = GaugeMetricFamily(f"duxos_{name}", meaning, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


def _age(moment: datetime, now: datetime) -> int:
    return max(int((now - moment).total_seconds()), 0)
