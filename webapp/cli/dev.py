"""`flask dev`: everything at once for development: a regtest chain, accounts with coins, the worker, the site."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import select

from webapp.cli.output import DuxosCommand
from webapp.cli.regtest import RegtestNetwork, free_port
from webapp.config import CONFIG_FILE, Settings, load_config
from webapp.domain.exceptions import ConfigurationError
from webapp.domain.money import Amount
from webapp.domain.roles import Role
from webapp.extensions import db
from webapp.models import User, Wallet
from webapp.services.settings_file import update_section
from webapp.worker import Worker

# Only ever on a chain of one's own, on this machine.
PASSWORD = "duxos-demo"  # noqa: S105
PEOPLE = {role: f"{role.value}@example.com" for role in Role}
FIRST_DEPOSIT = Amount.parse(1000)
BLOCK_SECONDS = 3
# On a chain that makes a block every few seconds, six confirmations would only try one's patience.
CONFIRMATIONS = {"confirmations_required": 2, "payout_confirmations": 3}


@click.command("dev", cls=DuxosCommand)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@with_appcontext
def dev_command(port: int) -> None:
    """Start a regtest chain, the worker and the site, with accounts to log in to. Data is kept."""
    settings = current_app.extensions["duxos"].settings
    if settings.wallet.network != "regtest":
        raise ConfigurationError("wallet.network: `flask dev` is for regtest")
    _announce("Starting a regtest chain ...")
    chain = RegtestNetwork(settings)
    chain.start()
    _point_settings_at(settings, chain)
    outside_address = _prepare(chain)
    port = free_port(port)
    _announce(_welcome(port, outside_address))
    try:
        _run_until_stopped(chain, port)
    finally:
        _announce("\nStopping the regtest chain ...")
        chain.stop()


def _point_settings_at(settings: Settings, chain: RegtestNetwork) -> None:
    """Write the daemon's port and password into config.yaml, for this and every other command."""
    file = settings.instance_path / CONFIG_FILE
    is_first_start = not file.exists()
    rpc = chain.conf.credentials
    update_section(
        file,
        "rpc",
        {"host": "127.0.0.1", "port": chain.conf.rpc_port, "user": rpc.user, "password": rpc.password},
    )
    if is_first_start:
        update_section(file, "wallet", {"network": "regtest", **CONFIRMATIONS})


def _prepare(chain: RegtestNetwork) -> str:
    """Make the accounts and let the payer's coins arrive, the first time. Returns an address of the outside."""
    from webapp import create_app

    app = create_app(load_config())
    with app.app_context():
        wallets = {role: _account(app, role, email) for role, email in PEOPLE.items()}
        address, is_new = wallets[Role.PAYER]
        if is_new:
            _announce(f"Sending {FIRST_DEPOSIT} FLOP to the payer ...")
            chain.send(address, FIRST_DEPOSIT)
            chain.mine(CONFIRMATIONS["confirmations_required"] + 1)
            _wait_for_deposit(app)
    return chain.new_outside_address()


def _account(app: Flask, role: Role, email: str) -> tuple[str, bool]:
    services, session = app.extensions["duxos"], db.session()
    is_new = session.scalars(select(User.id).where(User.email == email)).first() is None
    if is_new:
        services.identity(session).register(email, PASSWORD, role)
    wallet_id = session.scalars(select(Wallet.id).join(User).where(User.email == email)).one()
    return services.wallets(session).deposit_address(wallet_id), is_new


def _wait_for_deposit(app: Flask) -> None:
    worker = Worker(app)
    pause = threading.Event()
    for _ in range(100):
        worker.run_once()
        if db.session.scalars(select(Wallet.id).where(Wallet.available >= FIRST_DEPOSIT)).first():
            return
        pause.wait(0.2)
    raise ConfigurationError(
        "the first deposit did not arrive: see debug.log in the instance's regtest folder"
    )


def _run_until_stopped(chain: RegtestNetwork, port: int) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    programs = [_start_worker(port), _start_site(port)]
    try:
        while not stopping.wait(BLOCK_SECONDS):
            chain.mine_if_wanted(CONFIRMATIONS["payout_confirmations"])
            if any(program.poll() is not None for program in programs):
                raise ConfigurationError("the worker or the site has ended; its last words are above")
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait(30)


def _start_worker(port: int) -> subprocess.Popen[bytes]:
    watched = {"DUXOS_WORKER__SITE_URL": f"http://127.0.0.1:{port}/health/live"}
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "worker"], env={**watched, **os.environ}
    )


def _start_site(port: int) -> subprocess.Popen[bytes]:
    arguments = [
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--blocking-threads",
        "64",
        "--workers-kill-timeout",
        "2",
    ]
    granian = Path(sys.executable).with_name("granian")
    environment = {**os.environ, "GRANIAN_LOG_LEVEL": "error"}
    return subprocess.Popen([str(granian), *arguments, "wsgi:app"], env=environment)


def _welcome(port: int, outside_address: str) -> str:
    people = "\n".join(f"    {email:<24} {PASSWORD}" for email in PEOPLE.values())
    return f"""
  DuxOS Escrow is at  http://127.0.0.1:{port}/

  Log in as
{people}

  The payer has coins that arrived on the chain. To withdraw to somebody outside, use
    {outside_address}

  A block is mined every {BLOCK_SECONDS} seconds while something waits for one. Ctrl-C stops everything; data is kept.
"""


def _announce(text: str) -> None:
    click.echo(text)
    sys.stdout.flush()
