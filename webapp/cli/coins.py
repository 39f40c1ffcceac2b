"""`flask coins`: coins that came to addresses which were never given out."""

from __future__ import annotations

import json

import click
from sqlalchemy import func, select

from webapp.cli.output import NUMBER, DuxosGroup, emit, json_option, limit_option
from webapp.domain.money import format_signed
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.models import UnexplainedCoin
from webapp.services import reconciliation, unexplained_coins

coin_commands = DuxosGroup("coins", help="Coins that nobody can explain: list them, and say whose they are.")


@coin_commands.command("list")
@limit_option
@json_option
def list_coins(limit: int, as_json: bool) -> None:
    """List the open ones, and how far they explain what is there beyond what must be."""
    session = db.session()
    is_open = UnexplainedCoin.status == "open"
    coins = session.scalars(
        select(UnexplainedCoin).where(is_open).order_by(UnexplainedCoin.id).limit(limit)
    ).all()
    total = session.execute(select(func.count()).where(is_open)).scalar_one()
    latest = reconciliation.latest(session)
    found = unexplained_coins.explain(session, latest.unexplained if latest else 0)
    figures = {
        "unexplained": format_signed(found.unexplained),
        "open": format_signed(found.open),
        "ours": format_signed(found.ours),
        "rest": format_signed(found.rest),
        "open_coins": total,
    }
    if as_json:
        click.echo(json.dumps(figures | {"coins": [_told(coin) for coin in coins]}))
        return
    emit(figures, as_json=False)
    for coin in coins:
        told = _told(coin)
        click.echo(f"{told['id']:>6}  {told['amount']:>20}  {told['address']}  {told['txid']}:{told['vout']}")


@coin_commands.command("assign")
@click.argument("coin_id", type=NUMBER)
@click.option("--wallet", "wallet_id", type=NUMBER, required=True, help="The wallet's number.")
@json_option
def assign(coin_id: int, wallet_id: int, as_json: bool) -> None:
    """Say that a coin is a wallet's. It is credited by the rules of deposits, and its address is the wallet's."""
    unexplained_coins.assign_to_wallet(db.session(), AT_TERMINAL, coin_id, wallet_id)
    emit({"coin_id": coin_id, "wallet_id": wallet_id, "status": "assigned"}, as_json=as_json)


@coin_commands.command("ours")
@click.argument("coin_id", type=NUMBER)
@json_option
def ours(coin_id: int, as_json: bool) -> None:
    """Say that a coin is the operators' own. No money moves."""
    unexplained_coins.mark_as_ours(db.session(), AT_TERMINAL, coin_id)
    emit({"coin_id": coin_id, "status": "ours"}, as_json=as_json)


def _told(coin: UnexplainedCoin) -> dict[str, object]:
    return {
        "id": coin.id,
        "amount": str(coin.amount),
        "address": coin.address,
        "txid": coin.txid,
        "vout": coin.vout,
        "confirmations": coin.confirmations,
    }
