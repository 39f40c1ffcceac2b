"""Configuration files of daemon and service, and an installed daemon as a process."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.processes import free_port, temporary_folder
from webapp.domain.exceptions import ConfigurationError, RpcAuthenticationError
from webapp.services.daemon import setup as daemon_setup
from webapp.services.daemon.conf import CONF_FILE, Credentials, DaemonConf, ensure_conf
from webapp.services.daemon.setup import LITECOIND, DaemonProcess, find_daemon
from webapp.services.settings_file import update_section

NOBODY = Credentials("duxos", "")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestConfigurationFile:
    def test_a_new_file_has_generated_credentials_and_hides_the_password(self, tmp_path: Path) -> None:
        conf = ensure_conf(tmp_path / "data", "regtest", 12345, NOBODY)
        text = conf.path.read_text()
        assert conf.path.name == CONF_FILE
        assert mode(conf.path) == 0o600 and mode(conf.path.parent) == 0o700
        assert len(conf.credentials.password) >= 40
        assert conf.credentials.password not in text and conf.credentials.password not in repr(conf)
        (rpcauth,) = [line.partition("=")[2] for line in text.splitlines() if line.startswith("rpcauth=")]
        assert conf.credentials.match_rpcauth(rpcauth)
        assert not Credentials("duxos", "other").match_rpcauth(rpcauth)
        assert text.index("rpcport=12345") < text.index("[regtest]") < text.rindex("rpcport=12345")

    def test_the_main_network_needs_no_section(self, tmp_path: Path) -> None:
        text = ensure_conf(tmp_path, "main", 32553, NOBODY).path.read_text()
        assert "[" not in text and "regtest" not in text and "testnet" not in text

    def test_the_second_time_nothing_is_written(self, tmp_path: Path) -> None:
        first = ensure_conf(tmp_path, "regtest", 1000, NOBODY)
        text = first.path.read_text()
        assert ensure_conf(tmp_path, "regtest", 2000, first.credentials) == first
        assert first.path.read_text() == text

    def test_an_operators_file_is_kept_and_joined(self, tmp_path: Path) -> None:
        own = "rpcuser=alice\nrpcpassword=secret\nrpcport=4000\n# mine\n[regtest]\nrpcport=5000\n"
        (tmp_path / CONF_FILE).write_text(own)
        assert ensure_conf(tmp_path, "main", 1, Credentials("alice", "secret")) == DaemonConf(
            tmp_path / CONF_FILE, Credentials("alice", "secret"), 4000
        )
        assert (tmp_path / CONF_FILE).read_text() == own
        joined = ensure_conf(tmp_path, "regtest", 1, NOBODY)
        assert joined.rpc_port == 5000, "the network's own section wins"
        text = joined.path.read_text()
        assert text.endswith(own) and text.startswith("# For DuxOS Escrow.\nrpcauth=duxos:")


class TestSettingsFile:
    def test_other_lines_stay_as_they_were_written(self, tmp_path: Path) -> None:
        file = tmp_path / "config.yaml"
        file.write_text(
            "# top\nwallet:\n  network: regtest # here\nrpc:\n  timeout: 5\n  port: 1\n\n# end\nescrow: {}\n"
        )
        assert update_section(file, "rpc", {"port": 2, "password": "p: #x"})
        assert yaml.safe_load(file.read_text())["rpc"] == {"timeout": 5, "port": 2, "password": "p: #x"}
        assert file.read_text().startswith("# top\nwallet:\n  network: regtest # here\nrpc:\n")
        assert file.read_text().endswith("\n\n# end\nescrow: {}\n")
        assert mode(file) == 0o600
        assert not update_section(file, "rpc", {"port": 2})

    @pytest.mark.parametrize("text", ["", "worker: {}", "rpc:\n", "rpc: {port: 1}\n", "# nothing\n"])
    def test_a_missing_or_empty_section_is_made(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "config.yaml"
        file.write_text(text)
        assert update_section(file, "rpc", {"port": 2})
        assert yaml.safe_load(file.read_text())["rpc"] == {"port": 2}


class TestFindingTheProgram:
    def test_litecoind_stands_in_on_regtest_only(self) -> None:
        assert find_daemon(None, "regtest") == LITECOIND
        assert find_daemon(Path("/usr/bin/litecoind"), "regtest") == LITECOIND
        with pytest.raises(ConfigurationError, match="another coin"):
            find_daemon(LITECOIND, "main")

    def test_flopcoind_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program = tmp_path / "flopcoind"
        program.touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_daemon(None, "regtest") == find_daemon(None, "main") == program

    def test_a_missing_program_is_explained(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ConfigurationError, match="Install Flopcoin Core"):
            find_daemon(None, "main")
        monkeypatch.setattr(daemon_setup, "LITECOIND", tmp_path / "litecoind")
        with pytest.raises(ConfigurationError, match="apt-get install litecoind"):
            find_daemon(None, "regtest")
        with pytest.raises(ConfigurationError, match="there is no program"):
            find_daemon(tmp_path / "nothing", "regtest")


class TestProcess:
    @pytest.fixture
    def process(self) -> Iterator[DaemonProcess]:
        conf = ensure_conf(temporary_folder("process"), "regtest", free_port(), NOBODY)
        process = DaemonProcess(LITECOIND, conf, "regtest")
        yield process
        process.stop()

    def test_it_is_started_once_given_a_wallet_and_stopped(self, process: DaemonProcess) -> None:
        assert not process.answers()
        assert process.start()
        assert process.pid is not None
        assert not process.start()
        assert process.ensure_wallet()
        assert not process.ensure_wallet()
        assert process.rpc.change("getnewaddress")[:1] in "mn"
        assert process.rpc.read("getnetworkinfo")["warnings"] == ""
        process.rpc.change("unloadwallet", "")
        assert process.ensure_wallet(), "a wallet that exists is loaded"
        process.stop()
        assert not process.answers()
        process.stop()

    def test_what_keeps_it_from_starting_is_told(self, process: DaemonProcess) -> None:
        process.start()
        second = DaemonProcess(
            LITECOIND,
            DaemonConf(process.datadir / CONF_FILE, process._conf.credentials, free_port()),
            "regtest",
        )
        with pytest.raises(ConfigurationError, match="Cannot obtain a lock on data directory"):
            second.start()
        second.rpc.close()

    def test_another_daemon_on_the_port_is_noticed(self, process: DaemonProcess) -> None:
        process.start()
        other = ensure_conf(temporary_folder("other"), "regtest", process._conf.rpc_port, NOBODY)
        stranger = DaemonProcess(LITECOIND, other, "regtest")
        with pytest.raises(RpcAuthenticationError):
            stranger.start()
        stranger.rpc.close()
