"""The main navigation: which surfaces there are, and whom each is for."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, request, url_for
from flask_login import current_user

from webapp.domain.roles import Role
from webapp.domain.said import said
from webapp.web.current import services
from webapp.web.fund_view import is_fund_public
from webapp.web.guards import present_page

EVERYBODY = frozenset(Role)
API_PAGE = "swagger.swagger"
SOLVENCY_PAGE = "solvency.show"
FUND_PAGE = "fund.show"
STAFF = frozenset({Role.OPERATOR, Role.ARBITER})


@dataclass(frozen=True, slots=True)
class Surface:
    """A place of the site. It is current on every page of its blueprint."""

    label: str
    endpoint: str
    roles: frozenset[Role] = EVERYBODY


SURFACES = (
    Surface(said("Dashboard"), "dashboard.show"),
    Surface(said("Escrows"), "escrows.index"),
    Surface(said("Services"), "catalogue.index"),
    Surface(said("Wallet"), "wallets.show"),
    Surface(said("Fund"), "fund.show"),
    Surface(said("Nodes"), "nodes.index"),
    Surface(said("Disputes"), "disputes.index", STAFF),
    Surface(said("Operations"), "operations.show", frozenset({Role.OPERATOR})),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A surface as a link for the present visitor."""

    label: str
    url: str
    is_current: bool


def navigation() -> list[Entry]:
    """The links for the present visitor. A surface that this app does not have gets none."""
    return [
        Entry(surface.label, url_for(surface.endpoint), _is_current(surface))
        for surface in SURFACES
        if current_user.role in surface.roles and surface.endpoint in current_app.view_functions
    ]


def _is_current(surface: Surface) -> bool:
    return request.blueprint == surface.endpoint.partition(".")[0]


def home_url() -> str:
    """The first page."""
    return f"{request.script_root}/"


def api_page_url() -> str | None:
    """The page that explains the JSON endpoints, if this app has it."""
    return url_for(API_PAGE) if API_PAGE in current_app.view_functions else None


def solvency_page_url() -> str | None:
    """The public page of what is owed and held, if this app has it."""
    return url_for(SOLVENCY_PAGE) if SOLVENCY_PAGE in current_app.view_functions else None


def fund_page_url() -> str | None:
    """The fund's page while anybody may read it; those who are logged in have it in their navigation."""
    is_there = FUND_PAGE in current_app.view_functions and is_fund_public()
    return url_for(FUND_PAGE) if is_there else None


def network_name() -> str:
    """The chain's network: `main`, `test` or `regtest`."""
    return services().settings.wallet.network


def init_navigation(app: Flask) -> None:
    """Give templates the navigation and where they are."""
    app.jinja_env.globals.update(
        navigation=navigation,
        home_url=home_url,
        network_name=network_name,
        present_page=present_page,
        api_page_url=api_page_url,
        solvency_page_url=solvency_page_url,
        fund_page_url=fund_page_url,
    )
