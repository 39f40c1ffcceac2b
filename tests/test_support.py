"""The machinery of the tests does what it promises; when something here fails, look no further first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import flask
import jinja2
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy.orm import Session

from tests.support.chain import Chain
from tests.support.compiled import share_statements, share_templates
from tests.support.instances import CLOSED_PORT, write_config
from tests.support.postgres import PostgresCluster
from tests.support.processes import POLL_SECONDS
from tests.support.redis import RedisServer
from tests.support.rpc import RpcRefusedError
from webapp.config import Settings
from webapp.models import User
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work


def custody_address(chain: Chain) -> str:
    address: str = chain.custody.rpc("getnewaddress", "", "legacy")
    return address


def confirmations(chain: Chain, txid: str) -> int:
    count: int = chain.custody.rpc("gettransaction", txid)["confirmations"]
    return count


def test_the_custody_wallet_starts_empty_even_after_a_test_that_left_coins(chain: Chain) -> None:
    chain.deposit(custody_address(chain), "7")
    chain.fresh_wallet()
    assert chain.custody.rpc("getbalance") == 0
    assert chain.custody.rpc("listunspent", 0) == []
    assert len(chain.custody.rpc("listwallets")) == 1


def test_the_chain_recovers_from_what_a_test_left_behind(chain: Chain) -> None:
    chain.deposit(custody_address(chain), "7")
    chain.custody.rpc("encryptwallet", "nobody remembers")
    chain.miner.kill()
    chain.custody.pause()
    chain.fresh_wallet()
    assert chain.custody.rpc("getbalance") == 0
    chain.deposit(custody_address(chain), "7")


def test_what_is_sent_is_seen_at_once_and_confirmed_by_mining(chain: Chain) -> None:
    txid = chain.send(custody_address(chain), "12.5")
    assert confirmations(chain, txid) == 0
    chain.mine(3)
    assert confirmations(chain, txid) == 3
    assert chain.custody.rpc("getbalance") == Decimal("12.5")


def test_what_custody_sends_is_in_the_next_block(chain: Chain) -> None:
    chain.deposit(custody_address(chain), "5")
    outside = chain.new_outside_address()
    txid = chain.custody.rpc("sendtoaddress", outside, "2")
    chain.mine()
    assert confirmations(chain, txid) == 1
    assert chain.received(outside) == "2.00000000"


def test_blocks_are_found_while_custody_is_down(chain: Chain) -> None:
    txid = chain.deposit(custody_address(chain), "5")
    chain.custody.stop()
    chain.mine(2)
    with pytest.raises(ConnectionError):
        chain.custody.rpc("getblockcount")
    chain.custody.start()
    chain.sync()
    assert confirmations(chain, txid) == 3


def test_a_killed_daemon_comes_back_with_its_wallet(chain: Chain) -> None:
    txid = chain.deposit(custody_address(chain), "5")
    chain.custody.kill()
    chain.custody.start()
    chain.mine()
    assert confirmations(chain, txid) == 2


def test_a_reorganisation_takes_confirmations_back(chain: Chain) -> None:
    txid = chain.deposit(custody_address(chain), "5", confirmations=2)
    chain.reorganise(2)
    assert confirmations(chain, txid) == 0
    chain.mine()
    assert confirmations(chain, txid) == 1


def test_a_paused_daemon_answers_after_it_is_resumed(chain: Chain) -> None:
    chain.custody.pause()
    chain.custody.resume()
    assert chain.custody.rpc("getblockcount") > 0


def test_a_refusal_carries_the_daemons_code(chain: Chain) -> None:
    with pytest.raises(RpcRefusedError) as refusal:
        chain.custody.rpc("validateaddress")
    assert refusal.value.code == -1


def test_calls_in_one_exchange_are_carried_out_in_turn_and_one_that_is_refused_is_told(chain: Chain) -> None:
    address, mined, height = chain.miner.rpc_in_turn(
        ("getnewaddress", "", "legacy"),
        ("generatetoaddress", 2, chain.new_outside_address()),
        ("getblockcount",),
    )
    assert chain.miner.rpc("validateaddress", address)["isvalid"]
    assert chain.miner.rpc("getblockhash", height) == mined[-1]
    with pytest.raises(RpcRefusedError) as refusal:
        chain.miner.rpc_in_turn(("getblockcount",), ("validateaddress",))
    assert refusal.value.code == -1


def test_engines_that_share_what_they_compiled_keep_their_databases_apart(databases) -> None:
    count = sa.select(sa.func.count()).select_from(User)
    urls = [databases.create() for _ in range(2)]
    engines = [share_statements(sa.create_engine(url)) for url in urls]
    with Session(engines[0]) as first, Session(engines[1]) as second:
        with unit_of_work(first):
            first.add(User(email="one@example.com", password_hash="none", role="payer"))
        assert [each.scalar(count) for each in (first, second)] == [1, 0]
    for engine, url in zip(engines, urls, strict=True):
        engine.dispose()
        databases.drop(url)


def test_a_template_that_changed_is_compiled_again() -> None:
    sources = {"page": "before"}
    for expected in ("before", "after"):
        sources["page"] = expected
        app = flask.Flask("templates")
        app.jinja_loader = jinja2.DictLoader(sources)
        with share_templates(app).app_context():
            assert flask.render_template("page") == expected


def test_what_a_killed_run_left_in_memory_is_removed_by_the_next() -> None:
    code = "from tests.support.processes import temporary_folder as new; print(new('left'), flush=True)"
    environment = {name: value for name, value in os.environ.items() if name != "TMPDIR"}

    def run(then: str) -> Path:
        command = [sys.executable, "-c", f"import os; {code}; {then}"]
        return Path(
            subprocess.run(
                command, check=False, env=environment, stdout=subprocess.PIPE, text=True
            ).stdout.strip()
        )

    left = run("os.kill(os.getpid(), 9)")
    if left.parent != Path("/dev/shm"):
        pytest.skip("there is not enough memory for folders")
    assert left.is_dir()
    run("pass")
    assert not left.exists()


def test_a_database_has_the_tables_and_nothing_in_them(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM escrows")).scalar() == 0
    engine.dispose()


def test_a_database_is_not_shared(databases) -> None:
    urls = [databases.create() for _ in range(2)]
    assert urls[0] != urls[1]
    for url in urls:
        databases.drop(url)


def test_cut_connections_are_noticed(postgres_cluster: PostgresCluster) -> None:
    name = postgres_cluster.create_database()
    engine = sa.create_engine(postgres_cluster.url(name))
    with engine.connect() as connection:
        postgres_cluster.end_connections(name)
        with pytest.raises(sa.exc.OperationalError):
            connection.execute(sa.text("SELECT 1"))
    engine.dispose()
    postgres_cluster.drop_database(name)


def test_redis_is_empty_for_every_test(redis_server: RedisServer) -> None:
    redis_server.stop()
    assert redis_server.emptied().url.startswith("redis://127.0.0.1:")


def test_settings_lead_to_nobody_unless_a_daemon_is_asked_for(settings: Settings) -> None:
    assert settings.rpc.port == CLOSED_PORT


def test_settings_lead_to_the_daemon_and_the_cache_of_the_test(
    chain: Chain, redis_url: str, settings: Settings
) -> None:
    assert settings.rpc.port == chain.custody.rpc_port
    assert settings.rpc.password.get_secret_value() == chain.custody.rpc_password
    assert settings.security.rate_limit_storage_url == redis_url


@pytest.mark.settings(worker={"tick_seconds": 9}, wallet={"fee_paid_by": "fund"})
class TestSettingsMarkers:
    @pytest.mark.settings(worker={"tick_seconds": 5})
    def test_the_nearest_marker_wins(self, settings: Settings) -> None:
        assert settings.worker.tick_seconds == 5
        assert settings.wallet.fee_paid_by == "fund"


def test_a_session_reads_the_database_of_the_settings(session: Session, settings: Settings) -> None:
    assert session.get_bind().engine.url.render_as_string(hide_password=False) == settings.database_url


def test_services_are_those_of_the_settings(services: Services, settings: Settings) -> None:
    assert services.settings is settings


def test_requests_have_contexts_of_their_own(client: FlaskClient) -> None:
    assert client.get("/there-is-no-such-page").status_code == 404
    assert not flask.has_app_context()


def test_commands_run_in_the_application_of_the_test(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["--help"])
    assert result.exit_code == 0, result.output


def test_layers_of_settings_are_merged_key_by_key(tmp_path: Path) -> None:
    text = write_config(
        tmp_path, {"wallet": {"network": "main"}}, {"wallet": {"dust_limit": "1"}}
    ).read_text()
    assert "network: main" in text
    assert "dust_limit: '1'" in text
    assert "payout_confirmations: 2" in text


def test_no_daemon_outlives_a_test_run_that_is_killed(tmp_path: Path) -> None:
    code = """
from tests.support.redis import RedisServer
server = RedisServer().start()
print(server._process.pid, flush=True)
input()
"""
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    run.send_signal(signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline, "the daemon is still there"
        time.sleep(POLL_SECONDS)


def is_alive(pid: int) -> bool:
    """A zombie is not: it waits only for whoever is to collect its exit status."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
