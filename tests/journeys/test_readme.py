"""The README's program runs as it is written, against a site of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from tests.support.money import credit
from tests.support.people import make_person
from tests.support.serving import serving
from webapp.services.container import Services

README = (Path(__file__).parents[2] / "README.md").read_text()
FLASK = ".venv/bin/flask --app wsgi "


def _make_keys(runner: FlaskCliRunner, folder: Path) -> None:
    """Run the README's `key create` commands and keep what they print where they say."""
    commands = [line for line in README.splitlines() if line.startswith(f"{FLASK}key create")]
    for command in commands:
        arguments, _, file = command.removeprefix(FLASK).partition(" > ")
        result = runner.invoke(args=arguments.split())
        assert result.exit_code == 0, result.output
        (folder / file).write_text(result.stdout)


def test_the_readmes_first_escrow_is_released(
    app: Flask,
    runner: FlaskCliRunner,
    session: Session,
    services: Services,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    payer, provider = make_person(session, services), make_person(session, services, "provider")
    assert (payer.wallet_id, provider.wallet_id) == (1, 2)
    credit(session, 1, "1000")
    _make_keys(runner, tmp_path)
    program = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert program is not None
    monkeypatch.chdir(tmp_path)

    with serving(app) as site:
        exec(program[1].replace("http://127.0.0.1:8000", site), {})  # noqa: S102  (it is our own README)

    assert capsys.readouterr().out == "released\n"
    balances = [services.wallets(session).get_balance(wallet_id) for wallet_id in (1, 2)]
    assert [str(balance.available) for balance in balances] == ["900.00000000", "95.00000000"]
    assert str(services.fund_manager(session).balance()) == "5.00000000"
