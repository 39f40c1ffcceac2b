"""The link that asks for a payment: what a wallet reads off it is what was meant."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from webapp.domain.money import Amount
from webapp.domain.payment_uri import LONGEST_LABEL, payment_uri


def test_it_names_address_amount_and_label() -> None:
    uri = payment_uri("FJ3q8bC1", Amount.parse("12.5"), "gpu-render, scene 7")
    assert uri == "flopcoin:FJ3q8bC1?amount=12.50000000&label=gpu-render%2C%20scene%207"


@pytest.mark.parametrize("label", ["", "a&amount=9#x?y=z/%20+", "Grüße, 世界 🦆", "é" * 500, '"><script>'])
def test_a_label_stays_a_label(label: str) -> None:
    uri = payment_uri("FJ3q8bC1", Amount(1), label)
    parts = urlsplit(uri)
    assert (parts.scheme, parts.path, parts.fragment) == ("flopcoin", "FJ3q8bC1", "")
    expected = {"amount": ["0.00000001"], "label": [label[:LONGEST_LABEL]]}
    assert parse_qs(parts.query, keep_blank_values=True) == expected
    assert uri.isascii() and not set(uri) & set("\"<>' +")
