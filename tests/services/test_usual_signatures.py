"""The quick check of usual signatures accepts what the library accepts, and nothing else.

Requests are changed the way a thief or a careless client would: in any field, in the address, in the body. Where the
quick check still sees a usual signature, it is signed anew over the very base that the quick check has made, as only
the owner of the key could. Then the library has to agree to it, and to read the same of it.
"""

from __future__ import annotations

import hashlib
import hmac
import io
from base64 import b64encode
from dataclasses import dataclass, field, replace

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.signing import BY_PATH, BY_URI, sign
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import SignatureError
from webapp.services import request_signing
from webapp.services.received_request import ReceivedRequest
from webapp.services.signing_keys import IssuedKey
from webapp.services.usual_signatures import UsualSignature, recognise
from webapp.web.signed_requests import _received

KEY = IssuedKey("key_0123456789", "a-secret-of-somebody", ())
OTHER_BODY = b'{"amount":"2"}'
NOW = int(utcnow().timestamp())
_app = Flask("signatures")


@dataclass(frozen=True)
class Raw:
    """A request as its bytes arrive: fields in their order, several of one name, names in any case."""

    method: str = "POST"
    path: str = "/escrow/create"
    query: str = "a=1&b=%20"
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b'{"amount":"1"}'
    host: str = field(default="escrow.example:8000")

    def received(self) -> ReceivedRequest:
        """What the application makes of it behind a server, which joins fields of one name."""
        environ = {
            "REQUEST_METHOD": self.method, "SCRIPT_NAME": "", "PATH_INFO": self.path, "QUERY_STRING": self.query,
            "SERVER_NAME": "localhost", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "host",
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(self.body), "CONTENT_LENGTH": str(len(self.body)),
        }  # fmt: skip
        for name, value in self.fields:
            key = name.upper().replace("-", "_")
            key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
            known = environ.get(key)
            environ[key] = value if known is None or key == "CONTENT_LENGTH" else f"{known},{value}"
        with _app.request_context(environ):
            received = _received()
        # Werkzeug refuses most hosts that are odd; here nobody relies on it.
        return replace(received, url=received.url.replace("//host/", f"//{self.host}/", 1))


def digest_of(body: bytes) -> str:
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def usual(
    components: str = '"@method" "@target-uri" "content-digest"',
    parameters: str = f';created={NOW};keyid="{KEY.key_id}";alg="hmac-sha256";nonce="n-1"',
    label: str = "sig1",
    body: bytes = b'{"amount":"1"}',
    **more: str,
) -> Raw:
    """A request whose signature says this; it is signed by `signed_anew`."""
    return Raw(
        fields=(
            ("Signature-Input", f"{label}=({components}){parameters}"),
            ("Signature", f"{label}=:{b64encode(bytes(32)).decode()}:"),
            ("Content-Digest", digest_of(body)),
            ("Content-Type", "application/json"),
            ("Date", "Mon, 23 Nov 2026 02:14:29 GMT"),
            ("Idempotency-Key", "key 1"),
        ),
        body=body,
        **more,
    )


def signed_anew(raw: Raw, seen: UsualSignature) -> Raw:
    made = b64encode(hmac.digest(KEY.secret.encode(), seen._base, "sha256")).decode()
    fields = [pair for pair in raw.fields if pair[0].lower() != "signature"]
    return replace(raw, fields=(*fields, ("Signature", f"{seen._label}=:{made}:")))


def library_accepts(request: ReceivedRequest) -> request_signing._Claim | None:
    try:
        claim = request_signing._read_claim(request.headers)
        request_signing._check_signature(request, claim.key_id, KEY.secret)
    except SignatureError:
        return None
    return claim


def is_recognised(raw: Raw) -> bool:
    """Whether the quick check takes the request once it is signed. The library then has to take it, too."""
    seen = recognise(raw.received())
    if seen is None:
        return False
    signed = signed_anew(raw, seen).received()
    again = recognise(signed)
    assert again is not None
    assert again.is_made_with(KEY.secret)
    claim = library_accepts(signed)
    if claim is None:
        with pytest.raises(SignatureError, match=r"created|expires|expired|keyid|nonce"):
            request_signing._claim_of(again)
        return True
    assert claim == request_signing._claim_of(again)
    return True


USUAL_COMPONENTS = [
    '"@method" "@target-uri" "content-digest"',
    '"@method" "@path" "@query" "content-digest"',
    '"@method" "@authority" "@target-uri" "date" "content-digest" "content-type" "content-length" "idempotency-key"',
]
COMPONENTS = [
    '"@method"', '"@path"', '"@query"', '"@target-uri"', '"@authority"', '"content-digest"', '"content-type"',
    '"date"', '"@scheme"', '"@request-target"', '"@status"', '"x-other"', '"signature"', '"content-digest";sf',
    '"content-digest";key="sha-256"', '"@query-param";name="a"', '"@Method"', '"Date"', '"date";bs', '"@method";req',
    '""', '"', "date",
]  # fmt: skip
PARAMETERS = [
    ";created=0", f";created=0{NOW}", f";created=-{NOW}", f";created={NOW}.0", f';created="{NOW}"', ";created",
    ";created=999999999999", f";expires={NOW + 60}", f";expires={NOW - 60}", ';alg="hmac-sha512"', ";alg=hmac-sha256",
    ';nonce=""', ";nonce=1", ';nonce="a\\"b"', ';nonce="a\\\\b"', ';nonce="a;b=c(d)"', ';nonce="é"', ';nonce="\t"',
    f';nonce="{"n" * 129}"', ';keyid="a b"', '; keyid="k"', ';keyid= "k"', ';Keyid="k"', ';tag="t"', ";x",
]  # fmt: skip
PIECES = [
    "", " ", "  ", "\t", ",", ", ", ";", "=", ":", '"', "\\", "(", ")", "a", "Z", "0", "é", "\x80", "\x00", "\x7f",
    "%41", "%", "?", "&", "#", "@", "/", "//", "==", "sha-512=:AAAA:", ";sf", "\r\n ", "sig1=:AAAA:", 'b=("@method")',
]  # fmt: skip
HOSTS = [
    "Escrow.Example",
    "x:80",
    "x:443",
    "x:080",
    "x:0443",
    "x:",
    "x:8000",
    "[::1]:8000",
    "u@x",
    "a_b",
    "é",
    "",
]
METHODS = ["GET", "DELETE", "post", "OPTIONS", "CONNECT", "G T", "HEAD"]
PATHS = ["/", "", "/a b", "/é", "/%2F", "//x", "*", "/a;b=c", "/a%zz", "/a#b", "/a?b", "/a\\b", "/[a]"]
QUERIES = ["", "?", "a=%20+b", "a b", "a=é", "a=%zz", "#", "a=1&a=2", "[]", '"', "a\\b"]


@st.composite
def changed_requests(draw: st.DrawFn) -> Raw:
    """A usual request, and what was done to it before it was signed or on its way."""

    def mostly(usual: st.SearchStrategy[str], unusual: list[str]) -> str:
        return draw(st.sampled_from(unusual) if draw(st.integers(0, 7)) == 0 else usual)

    components = mostly(st.sampled_from(USUAL_COMPONENTS), COMPONENTS)
    if draw(st.integers(0, 7)) == 0:
        components = f"{components} {draw(st.sampled_from(COMPONENTS))}"
    parameters = draw(
        st.permutations([f";created={NOW}", ';keyid="k-1"', ';nonce="n+1/="', ';alg="hmac-sha256"'])
    )
    raw = usual(
        components,
        "".join(parameters[: draw(st.integers(3, 4))]) + mostly(st.just(""), PARAMETERS),
        mostly(st.sampled_from(["sig1", "s-_1"]), ["*", "A", "", "1", "a.b", "é"]),
        draw(st.sampled_from([b"", b'{"amount":"1"}'])),
        method=mostly(st.just("POST"), METHODS),
        path=mostly(st.just("/escrow/create"), PATHS),
        query=mostly(st.sampled_from(["a=1&b=%20", ""]), QUERIES),
        host=mostly(st.sampled_from(["escrow.example", "localhost:8000"]), HOSTS),
    )
    for _ in range(draw(st.sampled_from([0, 1, 1, 2]))):
        raw = draw(changed(raw))
    return raw


@st.composite
def changed(draw: st.DrawFn, raw: Raw) -> Raw:
    """The request with one field or its body changed."""
    fields = list(raw.fields)
    at = draw(st.integers(0, len(fields) - 1))
    name, value = fields[at]
    match draw(st.sampled_from(["in it", "twice", "more", "without", "name", "body"])):
        case "in it":
            cut = draw(st.integers(0, len(value)))
            rest = value[cut + draw(st.integers(0, 2)) :]
            fields[at] = (name, value[:cut] + draw(st.sampled_from(PIECES)) + rest)
        case "twice":
            fields.append((draw(st.sampled_from([name, name.lower(), name.upper()])), value))
        case "more":
            fields.append((name, draw(st.sampled_from(PIECES))))
        case "without":
            del fields[at]
        case "name":
            fields[at] = (draw(st.sampled_from([name.lower(), name.replace("-", "_"), f" {name}"])), value)
        case _:
            return replace(raw, body=OTHER_BODY)
    return replace(raw, fields=tuple(fields) or (("X", "y"),))


@given(changed_requests())
@settings(max_examples=400)
def test_what_is_recognised_is_accepted_by_the_library_and_read_alike(raw: Raw) -> None:
    is_recognised(raw)


@pytest.mark.parametrize("components", [BY_URI, BY_PATH, ("@method", "@authority", "@target-uri", "date")])
@pytest.mark.parametrize(
    ("path", "body"), [("/escrow/list", b""), ("/escrow/list?a=b%20c", b""), ("/escrow/create", b"{}")]
)
def test_what_stock_clients_send_is_recognised(components: tuple[str, ...], path: str, body: bytes) -> None:
    method = "POST" if body else "GET"
    message = sign(
        KEY, method, path, body, components=components, headers={"Date": "Sat, 31 Jan 2026 12:00:00 GMT"}
    )
    address, _, query = path.partition("?")
    raw = Raw(method, address, query, tuple(message.headers.items()), body, "localhost")
    seen = recognise(raw.received())
    assert seen is not None
    assert seen.is_made_with(KEY.secret)
    assert not seen.is_made_with("another")
    assert seen.key_id == KEY.key_id


REFUSED = {
    "a parameter that stands twice": usual(parameters=f';created={NOW};keyid="k";nonce="n";nonce="n"'),
    "a component that stands twice": usual('"@method" "@target-uri" "@method" "content-digest"'),
    "a body without a covered digest": usual('"@method" "@target-uri"'),
    "another's body": replace(usual(), body=OTHER_BODY),
    "a signature without the method": usual('"@target-uri" "content-digest"'),
    "a signature without the query": usual('"@method" "@path" "content-digest"'),
    "two signatures": usual(parameters=f';created={NOW};keyid="k";nonce="n", b=("@method");created=1'),
    "an escape": usual(parameters=f';created={NOW};keyid="k";nonce="\\""'),
    "a digest in two ways": replace(usual(), fields=(*usual().fields, ("Content-Digest", "sha-512=:AAAA:"))),
    "a port that may go without saying": usual(host="escrow.example:443"),
    "upper case": usual(host="Escrow.example"),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_what_is_unusual_is_left_to_the_library(raw: Raw) -> None:
    assert is_recognised(usual())
    assert not is_recognised(raw)
