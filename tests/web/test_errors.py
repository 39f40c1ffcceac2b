"""What is read when something goes wrong: a page, a message, or a problem document."""

from __future__ import annotations

import logging

import pytest
from flask import Blueprint, Flask, abort
from sqlalchemy.exc import OperationalError

from tests.support.browsing import Browser
from webapp.domain import exceptions
from webapp.domain.exceptions import DuxosError
from webapp.web.errors import PROBLEM_TYPE_PREFIX
from webapp.web.guards import public

JSON = {"Accept": "application/json"}


def _fail_with(app: Flask, error: Exception | int) -> None:
    @public
    def probe() -> str:
        if isinstance(error, int):
            abort(error)
        raise error

    app.add_url_rule("/probe", "probe", probe, methods=["GET", "POST"])


def _family(base: type[DuxosError]) -> list[type[DuxosError]]:
    return [base, *(member for child in base.__subclasses__() for member in _family(child))]


def test_a_page_says_what_happened(app: Flask, browser: Browser) -> None:
    _fail_with(app, exceptions.FrozenWalletError("Wallet 7 is frozen."))

    response = browser.get("/probe")

    assert (response.status_code, response.mimetype) == (403, "text/html")
    assert "Wallet 7 is frozen." in response.text


def test_htmx_reads_it_in_the_live_region(app: Flask, browser: Browser) -> None:
    _fail_with(app, exceptions.InsufficientFundsError("Only 3 FLOP are available."))

    response = browser.get("/probe", htmx=True)

    assert response.status_code == 409
    assert (response.headers["HX-Retarget"], response.headers["HX-Reswap"]) == ("#messages", "innerHTML")
    assert "Only 3 FLOP are available." in response.text
    assert "<!doctype html>" not in response.text


def test_a_program_reads_a_problem_document(app: Flask, browser: Browser) -> None:
    _fail_with(app, exceptions.ValidationError.of("amount", "must be greater than zero"))

    response = browser.client.get("/probe", headers=JSON)

    assert (response.status_code, response.mimetype) == (422, "application/problem+json")
    assert response.json == {
        "type": f"{PROBLEM_TYPE_PREFIX}validation-error",
        "title": "Some of the input is not valid",
        "status": 422,
        "detail": "amount: must be greater than zero",
        "instance": "/probe",
        "errors": [{"field": "amount", "message": "must be greater than zero"}],
    }


def test_a_view_of_an_api_blueprint_always_answers_problems(app: Flask) -> None:
    blueprint = Blueprint("api_probe", __name__)
    blueprint.add_url_rule("/probe", "show", public(lambda: abort(404)))
    app.register_blueprint(blueprint)

    response = app.test_client().get("/probe", headers={"Accept": "text/html"})

    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "accept", "mimetype"),
    [
        ("/no-such-page", "text/html", "text/html"),
        ("/no-such-page", "*/*", "text/html"),
        ("/no-such-page", "application/json", "application/problem+json"),
        ("/no-such-page", "text/html,application/json;q=0.9,*/*;q=0.8", "text/html"),
        ("/community-fund/nothing", "*/*", "application/problem+json"),
        ("/community-fund/nothing", "application/problem+json", "application/problem+json"),
        ("/community-fund/nothing", "text/html,*/*;q=0.8", "text/html"),
    ],
)
def test_an_address_that_leads_nowhere_answers_as_its_caller_reads(
    browser: Browser, path: str, accept: str, mimetype: str
) -> None:
    response = browser.client.get(path, headers={"Accept": accept})

    assert (response.status_code, response.mimetype) == (404, mimetype)


def test_a_wrong_method_names_the_right_ones(browser: Browser) -> None:
    response = browser.get("/logout")

    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.mimetype == "text/html"


def test_a_form_without_a_csrf_token_is_refused_with_advice(browser: Browser) -> None:
    response = browser.client.post("/login", data={"email": "a@example.org", "password": "x"})

    assert response.status_code == 400
    assert "The form has expired" in response.text


def test_a_defect_says_nothing_about_its_cause(
    app: Flask, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    app.testing = False
    _fail_with(app, RuntimeError("the secret cause"))

    page, problem = browser.get("/probe"), browser.client.get("/probe", headers=JSON)

    assert (page.status_code, problem.status_code) == (500, 500)
    assert "secret cause" not in page.text + problem.text
    assert problem.json is not None
    assert problem.json["type"] == f"{PROBLEM_TYPE_PREFIX}internal-error"
    assert "the secret cause" in caplog.text


def test_an_error_of_ours_that_is_a_defect_is_logged_and_kept_secret(
    app: Flask, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    _fail_with(app, exceptions.DuxosError("the fund lacks 3 base units"))

    with caplog.at_level(logging.ERROR):
        response = browser.get("/probe")

    assert response.status_code == 500
    assert "base units" not in response.text
    assert "the fund lacks 3 base units" in caplog.text


def test_every_error_of_the_family_has_a_stable_type_and_a_status() -> None:
    family = _family(DuxosError)

    assert len({member.slug for member in family}) == len(family)
    assert all(400 <= member.status < 600 for member in family)


@pytest.mark.parametrize("headers", [JSON, {}])
def test_a_database_that_is_away_says_come_back_soon(
    app: Flask, browser: Browser, headers: dict[str, str]
) -> None:
    _fail_with(app, OperationalError("SELECT secret", {}, Exception("database is locked")))

    response = browser.client.get("/probe", headers=headers)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert "Nothing was changed" in response.text
    assert "secret" not in response.text
