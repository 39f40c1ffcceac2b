"""Which addresses are payable where, and what is said about the others."""

from __future__ import annotations

import pytest
from embit import base58
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.addresses import check_address, is_address
from webapp.domain.exceptions import InvalidAddressError

HASH = bytes(range(20))
VERSIONS = {"main": (35, 22), "test": (56, 76), "regtest": (111, 196, 58)}


def address(version: int, payload: bytes = HASH) -> str:
    return str(base58.encode_check(bytes([version]) + payload))


def complaint(text: str, network: str) -> str:
    with pytest.raises(InvalidAddressError) as caught:
        check_address(text, network)
    assert caught.value.status == 422
    assert not text or text not in caught.value.detail
    return caught.value.fields["address"]


@pytest.mark.parametrize(("network", "version"), [(n, v) for n, all_ in VERSIONS.items() for v in all_])
def test_an_address_of_the_network_is_accepted_and_refused_on_every_other(network: str, version: int) -> None:
    check_address(address(version), network)
    for other in set(VERSIONS) - {network}:
        home = {"main": "mainnet", "test": "testnet"}.get(network, network)
        assert complaint(address(version), other).startswith(f"belongs to {home}, and this service runs on")


def test_recorded_addresses_of_a_flopcoin_daemon_are_accepted_on_their_networks() -> None:
    check_address("n2s3GCvncmjYmnBSu7Z8G3tyz5Sh4p2yMs", "regtest")
    check_address("2N7JzDC3qxoi4hufZkriAq5V1iuEAemFFZD", "regtest")
    assert address(35).startswith("F")


def test_a_mainnet_address_on_regtest_is_named_as_such() -> None:
    assert complaint(address(35), "regtest") == "belongs to mainnet, and this service runs on regtest"


@pytest.mark.parametrize(
    "text",
    [
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "BC1QAR0SRRR7XFKVY5L643LYDNW9RE59GTZZWF5MDQ",
        "rltc1qzvcgmntglcuv4smv3lzj6k8szcvsrmvk0phrr9",
        "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        "flop1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "ltcmweb1" + "q" * 120,
    ],
)
def test_witness_addresses_are_refused_because_coins_would_be_lost(text: str) -> None:
    for network in VERSIONS:
        assert "SegWit" in complaint(text, network)
        assert "would be lost" in complaint(text, network)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "an address is required"),
        (" n2s3GCvncmjYmnBSu7Z8G3tyz5Sh4p2yMs", "has spaces around it"),
        ("n2s3GCvncmjYmnBSu7Z8G3tyz5Sh4p2yMt", "checksum"),
        ("n2s3GCvncmjYmnBSu7Z8G3tyz5Sh4p2yM", "checksum"),
        ("notanaddress", "checksum"),
        ("0OIl", "checksum"),
        ("ñ2s3GCvncmjYmnBSu7Z8G3tyz5Sh4p2yMs", "checksum"),
        ("1" * 100_000, "checksum"),
        ("\x00", "checksum"),
        (address(111, HASH + b"\x00"), "is not an address of this chain"),
        (address(111, b""), "is not an address of this chain"),
        (address(0), "is not an address of this chain (version byte 0)"),
        (address(48), "is not an address of this chain (version byte 48)"),
        (address(239, bytes(32) + b"\x01"), "is a private key"),
        (address(158, bytes(32)), "is a private key"),
    ],
)
def test_everything_else_is_refused_with_its_reason(text: str, words: str) -> None:
    assert words in complaint(text, "regtest")


def test_the_error_names_the_field_that_was_asked_about() -> None:
    with pytest.raises(InvalidAddressError) as caught:
        check_address("x", "regtest", field="payout_address")
    assert list(caught.value.fields) == ["payout_address"]
    assert caught.value.detail.startswith("payout_address: ")


@given(
    st.binary(min_size=20, max_size=20), st.sampled_from([(n, v) for n, vs in VERSIONS.items() for v in vs])
)
def test_every_hash_makes_an_address_and_every_changed_character_breaks_it(
    payload: bytes, home: tuple[str, int]
) -> None:
    network, version = home
    text = address(version, payload)
    assert is_address(text, network)
    other = "2" if text[-1] != "2" else "3"
    assert not is_address(text[:-1] + other, network)


@given(st.text(max_size=80))
def test_any_text_is_judged_without_an_accident(text: str) -> None:
    assert not is_address(text, "regtest") or text[0] in "mn2Q"
