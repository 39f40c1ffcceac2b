"""Nothing is open by default, and every view says whom it is for."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.browsing import Browser
from webapp.domain.exceptions import PermissionDeniedError
from webapp.web import guards

LOGGED_OUT_TARGET = "/login?next=/probe"


def _add(app: Flask, view: object, **options: object) -> None:
    app.add_url_rule("/probe", "probe", view, **options)  # type: ignore[arg-type]


def test_every_view_of_the_app_says_whom_it_is_for(app: Flask) -> None:
    unmarked = [endpoint for endpoint in app.view_functions if guards.find_access(app, endpoint) is None]

    assert unmarked == []


def test_open_blueprints_are_the_libraries_own(app: Flask) -> None:
    for name in guards.OPEN_BLUEPRINTS & app.blueprints.keys():
        assert app.blueprints[name].import_name.startswith("flask_openapi3")


def test_a_view_without_a_marker_is_closed_even_to_those_who_are_logged_in(
    app: Flask, payer: Browser
) -> None:
    app._got_first_request = False
    _add(app, lambda: "open")

    assert payer.get("/probe").status_code == 403


def test_a_public_view_is_open(app: Flask, browser: Browser) -> None:
    _add(app, guards.public(lambda: "open"))

    assert browser.get("/probe").text == "open"


def test_a_stranger_is_led_to_the_log_in_and_back(app: Flask, browser: Browser) -> None:
    _add(app, guards.signed_in(lambda: "open"))

    response = browser.get("/probe")

    assert (response.status_code, response.location) == (303, LOGGED_OUT_TARGET)


def test_a_stranger_with_htmx_gets_a_message_and_keeps_the_page(app: Flask, browser: Browser) -> None:
    _add(app, guards.signed_in(lambda: "open"))

    response = browser.client.get(
        "/probe", headers={"HX-Request": "true", "HX-Current-URL": "http://localhost/probe?page=2"}
    )

    assert response.status_code == 401
    assert response.headers["HX-Retarget"] == "#messages"
    assert "/login?next=/probe?page%3D2" in response.text


def test_a_stranger_that_is_a_program_gets_a_problem(app: Flask, browser: Browser) -> None:
    _add(app, guards.signed_in(lambda: "open"))

    response = browser.client.get("/probe", headers={"Accept": "application/json"})

    assert (response.status_code, response.mimetype) == (401, "application/problem+json")


def test_a_view_may_be_open_to_anybody_for_a_while(app: Flask, browser: Browser) -> None:
    is_open = [False, True, False]
    _add(app, guards.public_while(lambda: is_open.pop(0))(guards.roles("payer")(lambda: "open")))

    assert [browser.get("/probe").status_code for _ in range(3)] == [303, 200, 303]
    access = guards.find_access(app, "probe")
    assert access is not None
    assert (access.kind, access.names) == ("signed_in", ("payer",))


def test_a_view_says_whom_it_is_for_while_it_is_not_open() -> None:
    with pytest.raises(TypeError):
        guards.public_while(lambda: True)(lambda: "open")


@pytest.mark.parametrize(("role", "status"), [("payer", 200), ("provider", 403)])
def test_a_view_for_a_role_is_closed_to_others(app: Flask, browser: Browser, role: str, status: int) -> None:
    _add(app, guards.roles("payer")(lambda: "open"))
    browser.register("someone@example.org", role)

    assert browser.get("/probe").status_code == status


def test_signed_requests_are_refused_where_nobody_can_check_them(app: Flask, browser: Browser) -> None:
    app.extensions.pop(guards._GUARD_EXTENSION, None)
    _add(app, guards.signed_request("escrow:read")(lambda: "open"))

    assert browser.get("/probe").status_code == 401


def test_the_guard_of_signed_requests_decides_with_the_scopes_of_the_view(
    app: Flask, browser: Browser
) -> None:
    asked: list[tuple[str, ...]] = []

    def guard(scopes: tuple[str, ...]) -> None:
        asked.append(scopes)
        if len(asked) > 1:
            raise PermissionDeniedError

    guards.set_signed_request_guard(app, guard)
    _add(app, guards.signed_request("escrow:read")(lambda: "open"))

    assert [browser.get("/probe").status_code for _ in range(2)] == [200, 403]
    assert asked == [("escrow:read",)] * 2


@pytest.mark.parametrize("target", ["/", "/escrows?status=active", "/escrows/1#top"])
def test_a_path_on_this_site_may_be_gone_on_to(target: str) -> None:
    assert guards.safe_next(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        None,
        "escrows",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "/\t/elsewhere.example",
        "\\\\elsewhere.example",
        "https://elsewhere.example/",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: b=c",
        "/ /elsewhere.example",
    ],
)
def test_any_other_place_may_not(target: str | None) -> None:
    assert guards.safe_next(target) is None
