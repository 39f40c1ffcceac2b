"""`flask flopcoin check` and `setup`, as an operator meets them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from tests.support.instances import write_config
from tests.support.processes import free_port, temporary_folder
from tests.support.replay_daemon import ReplayDaemon
from webapp import create_app
from webapp.config import Settings, load_config
from webapp.services.daemon.conf import CONF_FILE
from webapp.services.daemon.rpc_connection import RpcEndpoint
from webapp.services.daemon.shared import forget_daemons
from webapp.services.wallet_rpc import WalletRpc


def flask_flopcoin(config: Path, *arguments: str) -> Result:
    """Run the command as a process of its own would: nothing is remembered of the daemon."""
    forget_daemons()
    app = create_app(load_config(config))
    result = app.test_cli_runner().invoke(args=["flopcoin", *arguments])
    forget_daemons()
    return result


def config_for(folder: Path, daemon: ReplayDaemon, **wallet: Any) -> Path:
    rpc = {"port": daemon.port, "user": daemon.user, "password": daemon.password}
    return write_config(folder, {"rpc": rpc, "wallet": wallet})


@pytest.fixture
def daemon() -> Iterator[ReplayDaemon]:
    with ReplayDaemon() as daemon:
        yield daemon


class TestCheck:
    def test_a_healthy_daemon(self, daemon: ReplayDaemon, tmp_path: Path) -> None:
        config = config_for(tmp_path, daemon)
        result = flask_flopcoin(config, "check")
        assert result.exit_code == 0, result.output
        for words in (
            "/Floptoshi:2.0.0/",
            "regtest",
            "86 of 86",
            "0.14-style",
            "40000056.01930000",
            "can be used",
        ):
            assert words in result.output
        answer = json.loads(flask_flopcoin(config, "check", "--json").output)
        assert answer["usable"] and answer["reachable"] and answer["synced"]
        assert answer["problems"] == []
        assert answer["dialect"]["sign_method"] == "signrawtransaction"

    def test_a_daemon_that_is_down(self, tmp_path: Path) -> None:
        config = write_config(tmp_path, {"rpc": {"port": free_port()}})
        result = flask_flopcoin(config, "check")
        assert result.exit_code == 1
        assert "is out of reach (Connection refused)." in result.output
        assert "Check that it is running and that rpc.host and rpc.port are right." in result.output
        answer = json.loads(flask_flopcoin(config, "check", "--json").output)
        assert (answer["usable"], answer["reachable"], answer["network"]) == (False, False, None)

    def test_a_wrong_password(self, daemon: ReplayDaemon, tmp_path: Path) -> None:
        config = config_for(tmp_path, daemon)
        daemon.password = "changed"
        result = flask_flopcoin(config, "check")
        assert result.exit_code == 1
        assert "refused the RPC user or password" in result.output
        assert "transcript" not in result.output

    def test_the_wrong_network(self, daemon: ReplayDaemon, tmp_path: Path) -> None:
        result = flask_flopcoin(config_for(tmp_path, daemon, network="main"), "check")
        assert result.exit_code == 1
        assert "The daemon runs on regtest, but wallet.network is main." in result.output
        assert "correct wallet.network" in result.output

    def test_a_warning_alone_leaves_it_usable(self, daemon: ReplayDaemon, tmp_path: Path) -> None:
        daemon.answer("getnetworkinfo", result={"subversion": "x", "connections": 3, "warnings": "update!"})
        result = flask_flopcoin(config_for(tmp_path, daemon), "check")
        assert result.exit_code == 0
        assert "note: The daemon warns: update!" in result.output


class TestSetup:
    @pytest.fixture
    def config(self) -> Iterator[Path]:
        folder = temporary_folder("setup")
        path = write_config(folder, {"rpc": {"port": free_port(), "user": "duxos"}})
        path.write_text("# written by the operator\n" + path.read_text())
        yield path
        stop_daemon(load_config(path))

    def test_a_new_daemon_is_configured_started_and_usable(self, config: Path) -> None:
        result = flask_flopcoin(config, "setup", "--network", "regtest", "--json")
        assert result.exit_code == 0, result.output
        answer = json.loads(result.output)
        assert answer["state"].startswith("started")
        conf = Path(answer["configuration"])
        assert conf == config.parent / "flopcoin" / CONF_FILE
        rpc = yaml.safe_load(config.read_text())["rpc"]
        assert rpc["password"] not in conf.read_text() + result.output
        assert [stat.S_IMODE(path.stat().st_mode) for path in (conf, config)] == [0o600, 0o600]
        assert config.read_text().startswith("# written by the operator\n")

        check = flask_flopcoin(config, "check", "--json")
        assert check.exit_code == 0, check.output
        assert json.loads(check.output)["dialect"]["name"] == "0.21-style"

        again = json.loads(flask_flopcoin(config, "setup", "--json").output)
        assert again["state"] == "was running"
        assert again["settings"].endswith("unchanged")

        stop_daemon(load_config(config))
        third = json.loads(flask_flopcoin(config, "setup", "--json").output)
        assert third["state"].startswith("started")
        assert flask_flopcoin(config, "check").exit_code == 0

    def test_an_operators_folder_is_joined(self, config: Path) -> None:
        datadir = config.parent / "theirs"
        datadir.mkdir()
        port = free_port()
        own = f"regtest=1\nserver=1\nrpcuser=alice\nrpcpassword=hers\nlisten=0\n[regtest]\nrpcport={port}\n"
        (datadir / CONF_FILE).write_text(own)
        result = flask_flopcoin(config, "setup", "--datadir", str(datadir))
        assert result.exit_code == 0, result.output
        assert (datadir / CONF_FILE).read_text().endswith(own)
        assert load_config(config).rpc.port == port
        assert flask_flopcoin(config, "check").exit_code == 0

    def test_what_cannot_be_done_is_said_in_one_line(self, config: Path) -> None:
        result = flask_flopcoin(
            config, "setup", "--network", "main", "--daemon", "/usr/lib/litecoin/litecoind"
        )
        assert result.exit_code == 1
        assert "another coin" in result.output
        assert "Traceback" not in result.output
        assert not (config.parent / "flopcoin").exists()

    def test_settings_in_the_environment_are_pointed_out(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DUXOS_RPC__PASSWORD", "from the environment")
        result = flask_flopcoin(config, "setup")
        assert "in the environment overrides what was written" in result.output
        monkeypatch.delenv("DUXOS_RPC__PASSWORD")


def stop_daemon(settings: Settings) -> None:
    """End what `setup` left running, and wait until its folder is free."""
    rpc = WalletRpc(RpcEndpoint.of(settings.rpc))
    pids = [int(file.read_text()) for file in settings.instance_path.glob("*/regtest/*.pid")]
    if pids:
        rpc.change("stop")
    for pid in pids:
        os.waitpid(pid, 0)
    rpc.close()
