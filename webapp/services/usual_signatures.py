"""The signatures that programs usually make, checked without taking every field apart.

The library that judges signatures understands all of RFC 9421, and its understanding costs more than the rest of a
request. Nearly all clients write a signature in one way. What is written exactly in that way is recognised here, and
its base and HMAC are computed; whatever is the least bit different, or does not match, is left to the library. So this
may only ever accept what the library accepts, and refuses nothing: `tests/services/test_usual_signatures.py` looks for
a request on which the two differ.

The way: one signature with a plain label; covered components without parameters, out of a known few; of the
parameters `created`, `expires`, `keyid`, `nonce` and `alg`, each once, without spaces or escapes; a Content-Digest of
SHA-256 alone; base64 as an encoder writes it; an address and fields of plain ASCII.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from webapp.services.received_request import Headers, ReceivedRequest

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_DIGEST = "content-digest"
_FIELDS = frozenset({_DIGEST, "content-type", "content-length", "date", "idempotency-key"})
_DERIVED = frozenset({"@method", "@path", "@query", "@target-uri", "@authority"})
_TARGETS = (frozenset({"@path", "@query"}), frozenset({"@target-uri"}))
_TIMES = frozenset({"created", "expires"})
_NAMES = frozenset({*_TIMES, "keyid", "nonce", "alg"})
_DEFAULT_PORTS = (":80", ":443")

# Possessive quantifiers (`++`): no text makes these try a second way. A string of RFC 9651 without an escape holds
# printable ASCII but for the quote and the backslash.
_PARAMETER = re.compile(r';([a-z]++)=(?:([1-9][0-9]{0,11})|"([ !#-\[\]-~]++)")')
_INPUT = re.compile(
    r'([a-z][a-z0-9_-]{0,63})=(\(("[a-z@-]++"(?: "[a-z@-]++"){1,15})\)'
    r'((?:;[a-z]++=(?:[1-9][0-9]{0,11}|"[ !#-\[\]-~]++")){3,5}))'
)
_IN_PATH = r"A-Za-z0-9._~!$&'()*+,;=:@/-"
_URL = re.compile(
    rf"https?://([a-z0-9._-]++(?::[1-9][0-9]{{0,4}})?)(/(?:[{_IN_PATH}]++|%[0-9A-Fa-f]{{2}})*+)"
    rf"(\?(?:[{_IN_PATH}?]++|%[0-9A-Fa-f]{{2}})*+)?"
)


@dataclass(frozen=True, slots=True)
class UsualSignature:
    """What a signature says of itself, and what it has to match. Times are Unix seconds; nothing of it is proven."""

    key_id: str
    nonce: str
    created: int
    expires: int | None
    _base: bytes
    _label: str
    _signature: str

    def is_made_with(self, secret: str) -> bool:
        """Whether this secret signed it, and with it all that must be covered, the body too."""
        made = b2a_base64(hmac.digest(secret.encode(), self._base, "sha256"), newline=False).decode()
        return hmac.compare_digest(f"{self._label}=:{made}:", self._signature)


def recognise(request: ReceivedRequest) -> UsualSignature | None:
    """The request's signature if it and the request are of the usual form, else None."""
    signature = request.headers.get("signature")
    found = _INPUT.fullmatch(request.headers.get("signature-input") or "")
    if found is None or signature is None or not signature.isascii():
        return None
    label, signature_params, listed, parameters = found.groups()
    components, said = _components(listed), _parameters(parameters)
    if components is None or said is None or not _has_own_digest(request, components):
        return None
    base = _base(request, components, signature_params)
    if base is None:
        return None
    created, expires = int(said["created"]), said.get("expires")
    ends = None if expires is None else int(expires)
    return UsualSignature(said["keyid"], said["nonce"], created, ends, base, label, signature)


@lru_cache(maxsize=256)
def _components(listed: str) -> tuple[str, ...] | None:
    """The names in `"@method" "@path"`; None unless all are known, each stands once, and they cover what they must."""
    names = tuple(name.strip('"') for name in listed.split(" "))
    covered = frozenset(names)
    is_known = covered <= _FIELDS | _DERIVED and len(covered) == len(names)
    is_enough = "@method" in covered and any(target <= covered for target in _TARGETS)
    return names if is_known and is_enough else None


def _parameters(text: str) -> Mapping[str, str] | None:
    found = _PARAMETER.findall(text)
    said = {name: number or string for name, number, string in found}
    if len(said) != len(found) or not {"created", "keyid", "nonce"} <= said.keys() <= _NAMES:
        return None
    are_right_types = all(bool(number) == (name in _TIMES) for name, number, _ in found)
    return said if are_right_types and said.get("alg", "hmac-sha256") == "hmac-sha256" else None


def _has_own_digest(request: ReceivedRequest, components: tuple[str, ...]) -> bool:
    """Whether a digest that is stated is covered and the body's; without a body there need not be one."""
    stated = request.headers.get(_DIGEST)
    if stated is None and not request.body:
        return True
    digest = b2a_base64(hashlib.sha256(request.body).digest(), newline=False).decode()
    return _DIGEST in components and stated == f"sha-256=:{digest}:"


def _base(request: ReceivedRequest, components: tuple[str, ...], signature_params: str) -> bytes | None:
    """The signature base of RFC 9421, section 2.5; None when a value is missing or not plain."""
    found = _URL.fullmatch(request.url)
    if found is None or request.method not in _METHODS:
        return None
    authority, path, query = found.groups()
    if authority.endswith(_DEFAULT_PORTS):
        return None
    derived = {
        "@method": request.method,
        "@target-uri": request.url,
        "@authority": authority,
        "@path": path,
        "@query": query or "?",
    }
    lines = []
    for name in components:
        value = derived.get(name) or _plain_field(request.headers, name)
        if value is None:
            return None
        lines.append(f'"{name}": {value}\n')
    return f'{"".join(lines)}"@signature-params": {signature_params}'.encode("ascii")


def _plain_field(headers: Headers, name: str) -> str | None:
    value = headers.get(name)
    if not value or not (value.isascii() and value.isprintable()) or value.strip(" ") != value:
        return None
    return value
