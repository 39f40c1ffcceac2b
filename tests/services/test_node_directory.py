"""Where nodes are registered: ours, and one elsewhere that answers over a real socket, not always well."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from tests.support.people import make_node, make_person
from tests.support.registry_server import RegistryServer, Reply, leads_to, says
from webapp.config.sections import NodeSettings
from webapp.models import Node, NodeDay, NodeHeartbeat, Wallet
from webapp.services.container import Services
from webapp.services.node_directory import (
    DirectoryNode,
    DirectoryUnreachableError,
    NodeDirectory,
    conversation,
    directory_of,
)
from webapp.services.node_directory.duxnet import DuxnetDirectory
from webapp.services.node_directory.entries import NAMED
from webapp.services.unit_of_work import unit_of_work

ADDRESS = "mzBc4XEFSdzCDcTxAgf6EZXgsZWpztRhef"
NODE = {"node_id": "node-1", "status": "active", "reputation": 870, "wallet_address": ADDRESS}
READ = DirectoryNode("node-1", "active", 870, ADDRESS)
MEBIBYTE = b" " * 1024 * 1024


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "WAITS_SECONDS", (0.01, 0.02))


@pytest.fixture
def directory(registry: RegistryServer) -> DuxnetDirectory:
    return at(registry)


def at(registry: RegistryServer, url: str = "", **settings: Any) -> DuxnetDirectory:
    # The shortest times that the settings allow are long ones for a test.
    made = NodeSettings(directory_url=url or registry.url)
    return DuxnetDirectory(made.model_copy(update={"directory_timeout": 0.2, **settings}))


def entry(number: int, **changes: Any) -> dict[str, Any]:
    return {"node_id": f"node-{number}", "status": "active", **changes}


def why(directory: NodeDirectory) -> str:
    with pytest.raises(DirectoryUnreachableError) as caught:
        directory.list_nodes(fresh=True)
    return caught.value.detail


def test_the_nodes_of_a_registry_are_read_in_either_form_and_in_the_order_of_their_ids(registry, directory):
    second = entry(2, status="OFFLINE", wallet_address="", tasks=[1, {"anything": None}])
    for document in ([second, NODE], {"nodes": [second, NODE], "next": None}):
        registry.will(says(document))
        assert directory.list_nodes(fresh=True) == (READ, DirectoryNode("node-2", "offline", None, None))
    assert registry.asked == ["/nodes"] * 2
    below = at(registry, url=f"http://name:pass%3Aword@127.0.0.1:{registry.port}/api/v1/?x=y#z")
    below.list_nodes()
    assert registry.asked[-1] == "/api/v1/nodes"
    assert registry.credentials == [None, None, "Basic bmFtZTpwYXNzOndvcmQ="]


def test_pages_are_followed_to_the_end_and_not_in_circles(registry, directory):
    registry.at = {
        "/nodes": says({"nodes": [entry(1)], "next_cursor": "a b"}),
        "/nodes?cursor=a+b": says({"nodes": [entry(2)], "next": "/other?page=3"}),
        "/other?page=3": says({"nodes": [], "next": f"{registry.url}/last"}),
        "/last": says([entry(3)]),
    }
    assert [node.node_id for node in directory.list_nodes()] == ["node-1", "node-2", "node-3"]
    assert len(registry.asked) == 4
    registry.at["/other?page=3"] = says({"nodes": [], "next": "/nodes"})
    assert "has no end" in why(directory)
    registry.at["/other?page=3"] = says({"nodes": [], "next": "http://localhost/nodes"})
    assert "another place: http://localhost" in why(directory)
    registry.at["/other?page=3"] = says({"error": "gone"}, status=404)
    assert "not a list" in why(directory), "a part of the nodes is not all of them"


def test_reputation_is_read_by_one_rule_and_what_breaks_it_makes_the_node_unknown(
    registry, directory, caplog
):
    good = {"0": 0, "1": 1, "1000": 1000, "0.0": 0, "0.8765": 876, "1.0": 1000, "1e-999999": 0, "null": None}
    bad = ["-1", "1001", "1.5", "87.5", "true", '"870"', "-0.1", "1e3", "[]", "9" * 4000]
    numbers = [*good, *bad]
    body = ",".join(
        f'{{"node_id": "n{i:02}", "status": "active", "reputation": {text}}}'
        for i, text in enumerate(numbers)
    )
    registry.will(Reply(f"[{body}]".encode()))
    found = {node.node_id: node.reputation for node in directory.list_nodes()}
    assert found == {f"n{i:02}": good[text] for i, text in enumerate(good)}
    nines = "0." + "9" * 60
    registry.will(Reply(f'[{{"node_id": "n", "status": "late", "reputation": {nines}}}]'.encode()))
    assert directory.list_nodes(fresh=True) == (DirectoryNode("n", "active", 999, None),)


def test_entries_that_cannot_be_read_are_passed_over_and_named_in_the_log(registry, directory):
    broken: list[Any] = [
        None,
        "node-9",
        {},
        entry(2, status="asleep"),
        entry(3, status=None),
        {"node_id": "../admin", "status": "active"},
        {"node_id": "x" * 65, "status": "active"},
        {"node_id": "line\n", "status": "active"},
        {"node_id": 7, "status": "active"},
        entry(4, wallet_address="two words"),
        entry(5, wallet_address=["F1"]),
        entry(6, reputation=1),
        entry(6, reputation=2),
    ]
    registry.will(says([*broken, NODE, NODE]))
    with capture_logs() as logs:
        assert directory.list_nodes() == (READ,), "saying the same twice is no contradiction"
    assert len(logs) == NAMED + 1
    assert logs[3]["reason"].startswith("node-2: status: ")
    assert logs[-1]["count"] == 12


def test_one_node_is_asked_for_by_its_id(registry, directory):
    registry.at = {
        "/nodes/node-1": says(NODE),
        "/nodes/node-2": says(NODE),
        "/nodes/node-3": says({}),
        "/nodes/node-4": Reply(status=404),
        "/nodes/node-5": Reply(status=403),
    }
    assert directory.find("node-1") == READ
    assert directory.find("node-1") == READ, "remembered"
    assert [directory.find(f"node-{number}") for number in (2, 3, 4)] == [None] * 3
    with pytest.raises(DirectoryUnreachableError, match="403"):
        directory.find("node-5")
    asked = len(registry.asked)
    for impossible in ("", "..", "a/b", "a?b", "x" * 65):
        assert directory.find(impossible) is None
    assert len(registry.asked) == asked == 5


@pytest.mark.parametrize(
    ("reply", "reason", "attempts"),
    [
        (Reply(b"<html>"), "not the JSON", 1),
        (Reply(b'[{"node_id": "n", "reputation": NaN}]'), "not the JSON", 1),
        (Reply(b'[{"reputation": 1e99999999999999999999}]'), "not the JSON", 1),
        (Reply(b"[" * 200_000), "not the JSON", 1),
        (Reply(b"\xff\xfe\xff"), "not the JSON", 1),
        (says({"nodes": "all"}), "not a list", 1),
        (says("nodes"), "not a list", 1),
        (Reply(status=401), "401", 1),
        (Reply(status=404), "not a list", 1),
        (Reply(b"[]", 500), "500", 3),
        (Reply(status=429), "429", 3),
        (Reply(raw=True), "broke off", 3),
        (Reply(b"[", announced=2), "broke off", 3),
        (Reply(b"[]", headers={"Content-Encoding": "gzip"}), "compressed", 1),
        (Reply(MEBIBYTE, endless=True), "longer than 16 MiB", 1),
        (Reply(b" ", endless=True, pause_seconds=0.05), "longer than 0.3 seconds", 1),
        (Reply(b"HTTP/1.1 200", raw=True, endless=True, pause_seconds=0.05), "longer than 0.3 seconds", 1),
        (Reply(b"[]", pause_seconds=30), " seconds", 2),
        (leads_to("http://localhost/nodes"), "another place: http://localhost", 1),
        (leads_to("//evil.example/nodes"), "another place: http://evil.example", 1),
        (leads_to("https://127.0.0.1/nodes"), "another place: https", 1),
        (leads_to("/nodes"), "again and again", 4),
    ],
)
def test_a_registry_that_gives_no_proper_answer_is_out_of_reach(registry, directory, reply, reason, attempts):
    registry.will(reply)
    said = why(directory)
    assert reason in said
    assert said.startswith(f"the registry of nodes at 127.0.0.1:{registry.port}: ")
    assert len(registry.asked) == attempts


def test_a_registry_that_stutters_is_asked_twice_more(registry, directory):
    registry.will(Reply(status=503), Reply(b"[", announced=9), says([NODE]))
    assert directory.list_nodes() == (READ,)
    registry.will(leads_to("/nodes/", 308), says([NODE]))
    assert directory.list_nodes(fresh=True) == (READ,), "a redirect to another path of its own is followed"
    assert registry.asked == ["/nodes"] * 4 + ["/nodes/"]


def test_nobody_who_listens_and_no_address_are_said_in_plain_words():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gone = DuxnetDirectory(NodeSettings(directory_url=f"http://name:secret@127.0.0.1:{port}"))
    assert why(gone) == f"the registry of nodes at 127.0.0.1:{port}: no connection could be made"
    odd = DuxnetDirectory(NodeSettings(directory_url="http://127.0.0.1:port/"))
    assert "nodes.directory_url" in why(odd)


def test_pages_are_served_from_memory_and_an_airdrop_never_is(registry):
    directory = at(registry, directory_cache_seconds=0.4)
    registry.will(says([NODE]))
    assert directory.list_nodes() == at(registry).list_nodes() == (READ,)
    assert len(registry.asked) == 1, "one memory for the whole process"

    registry.will(Reply(status=500))
    assert "500" in why(directory)
    assert directory.list_nodes() == (READ,), "what was learnt a moment ago still serves pages"
    time.sleep(0.5)
    asked = len(registry.asked)
    for _ in range(2):
        with pytest.raises(DirectoryUnreachableError, match="500"):
            directory.list_nodes()
    assert len(registry.asked) == asked + 3, "that it is out of reach is remembered, too"

    for number in range(2):
        with pytest.raises(DirectoryUnreachableError, match="500"):
            directory.find(f"node-{number}")
    assert len(registry.asked) == asked + 3, "nobody waits for it once for each node"

    registry.will(says([]))
    assert directory.list_nodes(fresh=True) == directory.list_nodes() == ()
    registry.will(Reply(status=500))
    with pytest.raises(DirectoryUnreachableError):
        at(registry, directory_cache_seconds=0).list_nodes()


def test_many_threads_may_ask_at_once(registry, directory):
    registry.will(says([NODE]))
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(directory.list_nodes(fresh=n % 2 == 0)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(READ,)] * 8


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_without_a_url_the_directory_is_our_own_registry(session: Session, services: Services) -> None:
    owner, now = make_person(session, services, "provider"), datetime.now(UTC)
    nodes = sorted(make_node(session, services, owner).node.id for _ in range(4))
    beats = [now, now - timedelta(seconds=200), now - timedelta(seconds=400)]
    with unit_of_work(session):
        for node_id, at_time in zip(nodes, beats, strict=False):
            session.add(NodeHeartbeat(node_id=node_id, last_beat_at=at_time, load=0, tasks_running=0))
        session.get_one(Node, nodes[1]).airdrop_to = "chain"
        session.get_one(Node, nodes[2]).airdrop_to = "chain"
        session.get_one(Node, nodes[2]).airdrop_address = "F1"
        session.get_one(Wallet, owner.wallet_id).payout_address = ADDRESS
        session.get_one(Node, nodes[3]).status = "suspended"
        session.add(NodeDay(node_id=nodes[0], day=now.date(), released=5))

    directory = directory_of(session, services.settings)
    assert directory.list_nodes(fresh=True) == [
        DirectoryNode(nodes[0], "active", 666, None),
        DirectoryNode(nodes[1], "active", 500, ADDRESS),
        DirectoryNode(nodes[2], "offline", 500, "F1"),
        DirectoryNode(nodes[3], "suspended", 500, None),
    ]
    assert directory.find(nodes[2]) == directory.list_nodes()[2]
    assert directory.find("node-none") is None


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
@pytest.mark.settings(nodes={"directory_url": "http://127.0.0.1:9/"})
def test_with_a_url_it_is_the_registry_there(session: Session, services: Services) -> None:
    assert isinstance(directory_of(session, services.settings), DuxnetDirectory)
