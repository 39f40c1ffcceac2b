"""What is signed and hashed is the same everywhere, and a signature is valid for one thing only."""

from __future__ import annotations

import hashlib
import hmac
import uuid

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.canonical import (
    canonical_json,
    is_result_signature,
    normalize_result_hash,
    result_payload,
    sha256_hex,
    sign_result,
)
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import MAX_BASE_UNITS, Amount

ESCROW = uuid.UUID("01920000-0000-7000-8000-00000000abcd")
HASH = "ab" * 32
HUNDRED = Amount.parse("100")


def test_the_payload_is_written_as_the_design_says() -> None:
    assert result_payload(ESCROW, HUNDRED, HASH) == (
        b'{"amount":"100.00000000","escrow_id":"01920000-0000-7000-8000-00000000abcd","result_hash":"'
        + HASH.encode()
        + b'"}'
    )


def test_the_signature_is_plain_hmac_sha256_that_anybody_can_make() -> None:
    expected = hmac.new(b"secret", result_payload(ESCROW, HUNDRED, HASH), hashlib.sha256).hexdigest()
    assert sign_result("secret", ESCROW, HUNDRED, HASH) == expected
    assert sign_result("secret", ESCROW, HUNDRED, HASH) == expected, "it does not depend on when"


@given(
    st.integers(1, MAX_BASE_UNITS), st.uuids(), st.text(min_size=1).filter(lambda text: text.isprintable())
)
def test_a_signature_is_valid_for_its_escrow_amount_hash_and_secret_only(
    base_units: int, escrow_id: uuid.UUID, secret: str
) -> None:
    amount = Amount(base_units)
    signature = sign_result(secret, escrow_id, amount, HASH)
    assert is_result_signature(signature, secret, escrow_id, amount, HASH)
    assert is_result_signature(signature.upper(), secret, escrow_id, amount, HASH)
    assert not is_result_signature(signature, secret + "x", escrow_id, amount, HASH)
    assert not is_result_signature(signature, secret, uuid.UUID(int=escrow_id.int ^ 1), amount, HASH)
    assert not is_result_signature(signature, secret, escrow_id, Amount(base_units - 1), HASH)
    assert not is_result_signature(signature, secret, escrow_id, amount, "ba" * 32)
    assert not is_result_signature(signature[:-1], secret, escrow_id, amount, HASH)


@given(st.text())
def test_no_text_whatever_breaks_the_comparison(text: str) -> None:
    assert not is_result_signature(text, "secret", ESCROW, HUNDRED, HASH)
    assert not is_result_signature(text + "\ud800", "secret", ESCROW, HUNDRED, HASH)


@pytest.mark.parametrize(
    "value",
    ["", "abc123...", "a" * 63, "a" * 65, "g" * 64, "０" * 64, f" {HASH}", f"{HASH}\n", None, 5, b"ab" * 32],
)
def test_what_is_no_sha256_is_refused_by_name(value: object) -> None:
    with pytest.raises(ValidationError) as refusal:
        normalize_result_hash(value, field="expected_result_hash")
    assert set(refusal.value.fields) == {"expected_result_hash"}


def test_a_hash_is_kept_in_lower_case() -> None:
    assert normalize_result_hash(HASH.upper()) == HASH


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": [True, None]}) == b'{"a":[true,null],"b":1}'
    assert sha256_hex({"b": 1, "a": 2}) == sha256_hex({"a": 2, "b": 1})


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5)
_KEYS = st.text(st.sampled_from('ab"\x00\x7fé\ue000\U0001f600\ud800'), max_size=3)


@given(
    st.recursive(
        _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4)
    )
)
def test_every_value_is_written_or_refused_as_the_standard_says(value: object) -> None:
    try:
        expected = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        with pytest.raises(ValueError):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


def test_a_key_that_is_no_text_is_refused_and_not_made_one() -> None:
    with pytest.raises(ValueError):
        canonical_json({1: "one"})
