"""`flask flopcoin`: look at the coin daemon, and set one up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from webapp.cli.output import DuxosGroup, TellingCommand, emit, json_option
from webapp.config import CONFIG_FILE, Settings, load_config
from webapp.domain.addresses import NETWORKS
from webapp.services.daemon.conf import Credentials, DaemonConf, ensure_conf
from webapp.services.daemon.rpc_connection import plain_secret
from webapp.services.daemon.setup import DaemonProcess, find_daemon
from webapp.services.daemon.status import DaemonStatus
from webapp.services.settings_file import update_section
from webapp.web.current import services


class DaemonGroup(DuxosGroup):
    """Commands that need no database."""

    command_class = TellingCommand


flopcoin_commands = DaemonGroup("flopcoin", help="The coin daemon.")


@flopcoin_commands.command("check")
@json_option
def check(as_json: bool) -> None:
    """Say how the daemon is, and what to do about what is wrong. Exit code 1 when it cannot be used."""
    status = services().daemon.status()
    if as_json:
        click.echo(json.dumps(status.as_dict()))
    else:
        _describe(status)
    if not status.usable:
        sys.exit(1)


def _describe(status: DaemonStatus) -> None:
    if status.reachable:
        emit(_lines(status), as_json=False)
    for problem in status.problems:
        click.secho(f"{'problem' if problem.is_fatal else 'note'}: {problem.text}", fg="red", bold=True)
        click.echo(f"  {problem.advice}")
    click.echo("The daemon can be used." if status.usable else "The daemon cannot be used as it is.")


def _lines(status: DaemonStatus) -> dict[str, Any]:
    wallet = "not encrypted"
    if status.encrypted:
        wallet = "encrypted, unlocked" if status.unlocked_until else "encrypted, locked"
    return {
        "daemon": f"{status.endpoint} {status.subversion or ''}",
        "network": status.network,
        "blocks": f"{status.blocks} of {status.headers}{'' if status.synced else ', not synced'}",
        "peers": status.connections,
        "dialect": status.dialect.name if status.dialect else None,
        "wallet": wallet,
        "balance": status.balance,
        "fee_per_kB": f"{status.fee_rate_per_kb} (estimate {status.fee_estimate_per_kb or 'none'})",
    }


@flopcoin_commands.command("setup")
@click.option("--daemon", type=click.Path(path_type=Path), help="The program; flopcoind on PATH otherwise.")
@click.option("--datadir", type=click.Path(path_type=Path, file_okay=False), help="Its folder.")
@click.option("--network", type=click.Choice(NETWORKS), help="The configured one otherwise.")
@json_option
def setup(daemon: Path | None, datadir: Path | None, network: str | None, as_json: bool) -> None:
    """Configure an installed daemon, start it, and write the settings that lead to it.

    Makes flopcoin.conf with generated credentials, or joins the one in the folder; starts the daemon unless
    it runs; makes a wallet where the daemon has none; sets the `rpc` section of config.yaml. May be repeated.
    """
    settings = services().settings
    network = network or settings.wallet.network
    known = Credentials(settings.rpc.user, plain_secret(settings.rpc.password))
    binary = find_daemon(daemon, network)
    conf = ensure_conf(datadir or settings.instance_path / "flopcoin", network, settings.rpc.port, known)
    process = DaemonProcess(binary, conf, network)
    was_started = process.start()
    process.ensure_wallet()
    pid = process.pid
    process.leave_running()
    file = settings.instance_path / CONFIG_FILE
    is_changed = _write_settings(file, conf, network, settings)
    emit(
        {
            "daemon": str(binary),
            "state": f"started, process {pid}" if was_started else "was running",
            "network": network,
            "configuration": str(conf.path),
            "rpc": f"{conf.credentials.user}@127.0.0.1:{conf.rpc_port}",
            "settings": f"{file} {'updated' if is_changed else 'unchanged'}",
        },
        as_json=as_json,
    )
    _warn_of_overrides(file, conf, network)


def _write_settings(file: Path, conf: DaemonConf, network: str, settings: Settings) -> bool:
    rpc = {
        "host": "127.0.0.1",
        "port": conf.rpc_port,
        "user": conf.credentials.user,
        "password": conf.credentials.password,
    }
    is_changed = update_section(file, "rpc", rpc)
    if settings.wallet.network != network:
        is_changed = update_section(file, "wallet", {"network": network}) or is_changed
    return is_changed


def _warn_of_overrides(file: Path, conf: DaemonConf, network: str) -> None:
    effective = load_config(file)
    rpc = effective.rpc
    wanted = ("127.0.0.1", conf.rpc_port, conf.credentials.user, conf.credentials.password, network)
    if (rpc.host, rpc.port, rpc.user, plain_secret(rpc.password), effective.wallet.network) != wanted:
        click.echo("DUXOS_RPC__* or DUXOS_WALLET__* in the environment overrides what was written.", err=True)
