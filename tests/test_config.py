"""Settings: what is wrong stops the start and is named; secrets are made once and kept from others."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from webapp import ROOT
from webapp.config import load_config
from webapp.domain.exceptions import ConfigurationError


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("wallet: {confirmation_required: 6}", "wallet.confirmation_required"),
        ("walet: {}", "walet"),
        ("rpc: {port: 0}", "rpc.port"),
        ("rpc: {port: abc}", "rpc.port"),
        ("wallet: {network: mainnet}", "wallet.network"),
        ("wallet: {confirmations_required: 0}", "wallet.confirmations_required"),
        ("wallet: {dust_limit: -1}", "wallet.dust_limit"),
        ("wallet: {dust_limit: 0.000000001}", "wallet.dust_limit"),
        ("community_fund: {airdrop_threshold: .nan}", "community_fund.airdrop_threshold"),
        ("security: {require_authentication: false}", "security.require_authentication"),
        ("security: {secret_key: short}", "security.secret_key"),
        ("security: {encryption_keys: []}", "security.encryption_keys"),
        ("security: {encryption_keys: [nonsense]}", "security.encryption_keys"),
        ("database: {url: 'mysql://localhost/escrow'}", "database.url"),
        ("escrow: {fund_basis_points: 10001}", "escrow.fund_basis_points"),
        ("custody: {hot_wallet_ceiling: 10}", "custody.cold_address: is needed"),
        ("custody: {hot_wallet_target: 5}", "custody.hot_wallet_target: must be below"),
        (
            "custody: {hot_wallet_ceiling: 9, hot_wallet_target: 9}",
            "custody.hot_wallet_target: must be below",
        ),
        (
            "custody: {cold_address: mxN4RD7TojQjoQWopomYrcF52JuznX6suq}",
            "custody.cold_address: is not a valid",
        ),
        (
            "{wallet: {network: main}, custody: {cold_address: mxN4RD7TojQjoQWopomYrcF52JuznX6sup}}",
            "custody.cold_address: belongs to",
        ),
        ("rpc: 5", "rpc"),
        ("- a list", "mapping"),
        ("rpc: {", "YAML"),
    ],
)
def test_what_is_wrong_stops_the_start_and_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as stop:
        load_config(write(tmp_path, text))
    assert named in stop.value.detail


def test_a_secret_that_is_wrong_is_not_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as stop:
        load_config(write(tmp_path, "security: {secret_key: hunter2, encryption_keys: [hunter3]}"))
    assert "hunter" not in stop.value.detail


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "rpc: {port: 1, user: somebody}\nwallet: {dust_limit: 1}")
    monkeypatch.setenv("DUXOS_RPC__PORT", "32553")
    monkeypatch.setenv("DUXOS_WALLET__DUST_LIMIT", "0.5")
    settings = load_config(file)
    assert (settings.rpc.port, settings.rpc.user, str(settings.wallet.dust_limit)) == (
        32553,
        "somebody",
        "0.50000000",
    )


@pytest.mark.parametrize("variable", ["DUXOS_RPC__PROT", "DUXOS_RPC", "DUXOS_PORT", "DUXOS_NOTHING__PORT"])
def test_a_variable_that_names_no_setting_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "5")
    with pytest.raises(ConfigurationError) as stop:
        load_config(write(tmp_path, ""))
    assert variable.partition("__")[0].removeprefix("DUXOS_").lower() in stop.value.detail.lower()


def test_an_empty_or_missing_file_means_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config(write(tmp_path / "a", "rpc:\nwallet:\n")).rpc.port == 32553
    monkeypatch.setenv("DUXOS_INSTANCE_PATH", str(tmp_path / "b"))
    settings = load_config()
    assert settings.database_url == f"sqlite:///{tmp_path / 'b' / 'escrow.db'}"
    with pytest.raises(ConfigurationError):
        load_config(tmp_path / "nowhere" / "config.yaml")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = load_config(write(tmp_path, ""))
    finally:
        os.umask(before)
    assert mode(tmp_path / "secrets.yaml") == 0o600
    second = load_config(tmp_path / "config.yaml")
    assert first.security.secret_key == second.security.secret_key
    assert len(first.security.secret_key.get_secret_value()) >= 32
    assert first.security.secret_key.get_secret_value() not in repr(first)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "secrets.yaml"]


def test_processes_that_start_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    code = (
        "import sys; from webapp.config import load_config;"
        "sys.stdin.read(1);"
        "print(load_config().security.secret_key.get_secret_value())"
    )
    environment = {**os.environ, "DUXOS_INSTANCE_PATH": str(tmp_path / "new")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    answers = {process.communicate("x")[0] for process in processes}
    assert len(answers) == 1
    assert len(answers.pop().strip()) >= 32
    assert mode(tmp_path / "new") == 0o700


MADE_ON_FIRST_START = {"secret_key", "encryption_keys"}


def test_the_documented_example_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    shown = load_config(write(tmp_path / "shown", (ROOT / "instance" / "config.example.yaml").read_text()))
    plain = load_config(write(tmp_path / "plain", ""))
    for section in set(type(plain).model_fields) - {"instance_path"}:
        documented, default = getattr(shown, section), getattr(plain, section)
        for key in set(type(default).model_fields) - MADE_ON_FIRST_START:
            assert key in documented.model_fields_set, f"{section}.{key} is not in the example"
            assert getattr(documented, key) == getattr(default, key), f"{section}.{key}"
