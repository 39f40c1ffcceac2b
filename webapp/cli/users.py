"""`flask user`: accounts."""

from __future__ import annotations

import sys

import click
from sqlalchemy import select

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.domain.roles import AT_TERMINAL, Role
from webapp.extensions import db
from webapp.models import Wallet
from webapp.services import operator_actions
from webapp.services.unit_of_work import unit_of_work
from webapp.web.current import services

user_commands = DuxosGroup("user", help="Accounts of people.")


@user_commands.command("create")
@click.option("--email", required=True)
@click.option("--password", required=True, help="The password, or - to read it from standard input.")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@json_option
def create_user(email: str, password: str, role: str, as_json: bool) -> None:
    """Make an account with its wallet and its first deposit address."""
    if password == "-":  # noqa: S105  (the convention for standard input)
        password = sys.stdin.readline().rstrip("\r\n")
    user = services().identity(db.session()).register(email, password, role)
    wallet_id = db.session.scalars(select(Wallet.id).where(Wallet.user_id == user.id)).one()
    address = services().wallets(db.session()).deposit_address(wallet_id)
    emit({"user_id": user.id, "wallet_id": wallet_id, "deposit_address": address}, as_json=as_json)


@user_commands.command("reset-second-factor")
@click.option("--email", required=True)
@json_option
def reset_second_factor(email: str, as_json: bool) -> None:
    """Turn off the second factor of somebody who lost it, and end their sessions. See first that it is really them."""
    session = db.session()
    user = services().identity(session).find(email)
    with unit_of_work(session):
        services().second_factors(session).turn_off(user.id)
        services().sessions(session).revoke_all(user)
        operator_actions.record(session, AT_TERMINAL, "reset_second_factor", f"user:{user.id}")
    emit({"user_id": user.id, "second_factor": "off"}, as_json=as_json)
