"""Evidence on the page of a disputed escrow: the form, the list, and downloads that no browser draws."""

from __future__ import annotations

import io

import pytest

from tests.support.browsing import Browser
from tests.support.evidence import PDF, add, disputed, ended, picture
from tests.support.people import Pair, make_escrow
from webapp.config import Settings
from webapp.domain.case_file.verification import verify
from webapp.models import Escrow
from webapp.services.container import Services


@pytest.fixture
def escrow(session, services: Services, pair: Pair) -> Escrow:
    return disputed(session, services, pair)


def sent(text: str = "", data: bytes | None = None, name: str = "", key: str = "one") -> dict[str, object]:
    fields: dict[str, object] = {"text": text, "idempotency_key": key}
    return fields if data is None else {**fields, "file": (io.BytesIO(data), name, "text/html")}


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_what_one_side_adds_the_other_side_reads_and_downloads(
    payer: Browser, provider: Browser, escrow: Escrow, htmx: bool
) -> None:
    path = f"/escrows/{escrow.id}"
    form = sent("It is <b>too</b> small.\nLook:", picture(), "../evil\u202e.html")
    for _ in range(2):  # pressed twice, it counts once
        form["file"] = (io.BytesIO(picture()), "../evil\u202e.html", "text/html")
        response = payer.post(f"{path}/evidence", dict(form), htmx=htmx)
        assert response.status_code == (200 if htmx else 303)

    page = provider.get(path).text
    assert page.count('class="evidence-head"') == 1
    assert "It is &lt;b&gt;too&lt;/b&gt; small.\nLook:" in page
    assert "evil.html.png" in page
    assert "From the payer" in page
    assert "From you" in page
    assert "Evidence added" in page
    response = provider.get(f"{path}/evidence/1")
    assert response.data == picture()
    headers = response.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Disposition"] == "attachment; filename=evil.html.png"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert "evil.html.png" in provider.get(f"{path}/evidence", htmx=htmx).text
    for number in (0, 2, 2**31, 10**30):
        assert provider.get(f"{path}/evidence/{number}").status_code == 404


def test_what_is_refused_is_told_beside_its_field_and_what_was_typed_stays(
    payer: Browser, escrow: Escrow
) -> None:
    path = f"/escrows/{escrow.id}/evidence"
    for htmx in (False, True):
        response = payer.post(path, sent("My words", b"<svg/>", "drawing.png"), htmx=htmx)
        assert response.status_code == 422
        assert "Must not be a page, a drawing or a document in a markup language" in response.text
        assert ">\nMy words</textarea>" in response.text.replace("\r", "")
        assert 'id="escrow-evidence"' in response.text
        assert ("<html" in response.text) is not htmx
    assert "Must say something" in payer.post(path, sent()).text


@pytest.mark.settings(evidence={"max_file_bytes": 1024, "max_items_per_side": 1})
def test_limits_are_told_and_kept(payer: Browser, provider: Browser, escrow: Escrow) -> None:
    path = f"/escrows/{escrow.id}"
    assert "at most 1\u00a0KiB" in payer.get(path).text
    response = payer.post(f"{path}/evidence", sent("", b"x" * 5000, "long.txt"))
    assert response.status_code == 422
    assert "Must have at most 1024 bytes" in response.text
    assert payer.post(f"{path}/evidence", sent("", b"x" * 500_000, "longer.txt")).status_code == 413
    assert payer.post(f"{path}/evidence", sent("The only one")).status_code == 303
    assert "as much as each side may add" in payer.get(path).text
    assert "Add evidence" not in payer.get(path).text
    assert "Add evidence" in provider.get(path).text


def test_nobody_else_learns_that_there_is_any(
    visitors: dict[str, Browser], session, services: Services, pair: Pair, escrow: Escrow
) -> None:
    add(session, services, pair.provider, escrow, "Words", PDF, "bill.pdf")
    path = f"/escrows/{escrow.id}/evidence"
    expected = {"payer": 200, "provider": 200, "operator": 200, "arbiter": 404, "other": 404, "stranger": 303}
    for name, status in expected.items():
        assert visitors[name].get(path).status_code == status, name
        assert visitors[name].get(f"{path}/1").status_code == status, name
        assert visitors[name].get(f"{path}/2").status_code == (404 if status == 200 else status), name
    for name in ("operator", "arbiter", "other"):
        refused = visitors[name].post(path, sent("Me, too"))
        assert refused.status_code == (404 if name == "other" else 403), name
    assert "Add evidence" not in visitors["operator"].get(f"/escrows/{escrow.id}").text


def test_a_damaged_file_is_told_and_operators_see_it(
    visitors: dict[str, Browser], session, services: Services, settings: Settings, pair: Pair, escrow: Escrow
) -> None:
    item = add(session, services, pair.payer, escrow, data=b"words")
    (settings.evidence_folder / str(item.stored_as)).unlink()
    response = visitors["provider"].get(f"/escrows/{escrow.id}/evidence/1")
    assert response.status_code == 503
    assert "missing or damaged" in response.text
    assert str(escrow.id) in visitors["operator"].get("/operations").text


def test_after_the_end_it_can_still_be_read(
    session, services: Services, pair: Pair, payer: Browser, escrow: Escrow
) -> None:
    add(session, services, pair.payer, escrow, "My words")
    ended(session, services, pair, escrow)
    page = payer.get(f"/escrows/{escrow.id}").text
    assert "My words" in page
    assert "Add evidence" not in page
    assert payer.post(f"/escrows/{escrow.id}/evidence", sent("More")).status_code == 409


def test_the_case_file_is_for_whoever_sees_the_escrow_and_its_keys_for_everybody(
    visitors: dict[str, Browser], session, services: Services, pair: Pair, escrow: Escrow
) -> None:
    assert "There is none yet" in visitors["stranger"].get("/case-files").text
    add(session, services, pair.payer, escrow, data=PDF, name="bill.pdf")
    path = f"/escrows/{escrow.id}/case-file"
    expected = {"payer": 200, "provider": 200, "operator": 200, "arbiter": 200, "other": 404, "stranger": 303}
    for name, status in expected.items():
        with visitors[name].get(path) as response:
            assert response.status_code == status, name
            if status == 200:
                assert (
                    response.headers["Content-Disposition"] == f'attachment; filename="case-{escrow.id}.zip"'
                )
                assert response.headers["Cache-Control"] == "no-store"
                assert int(response.headers["Content-Length"]) == len(response.data)
                verdict = verify(io.BytesIO(response.data))
                assert verdict.is_good, verdict.lines
    (key,) = visitors["stranger"].get("/case-files/keys.json").json["keys"]
    assert key["public_key"] in verdict.lines[0]
    assert key["public_key"] in visitors["stranger"].get("/case-files").text
    assert path in visitors["payer"].get(f"/escrows/{escrow.id}").text


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_what_comes_when_nothing_is_taken_is_answered_with_the_escrow_as_it_stands(
    payer: Browser, session, services: Services, pair: Pair, htmx: bool
) -> None:
    undisputed = make_escrow(session, services, pair)
    response = payer.post(f"/escrows/{undisputed.id}/evidence", sent("Look"), htmx=htmx)
    assert response.status_code == 409
    assert 'id="escrow-status"' in response.text
    assert "takes no more evidence" in response.text
