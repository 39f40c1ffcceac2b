"""The site map: every blueprint, and where it lives."""

from __future__ import annotations

from flask_openapi3 import OpenAPI

from webapp.blueprints import (
    account,
    address_book,
    auth,
    case_files,
    catalogue,
    dashboard,
    disputes,
    escrows,
    fund,
    health,
    language,
    live,
    nodes,
    notice_mail,
    notices,
    operations,
    second_factor,
    solvency,
    wallets,
)
from webapp.blueprints.api import register_api

PAGES = (
    auth.bp,  # /login  /register  /logout
    dashboard.bp,  # /
    escrows.bp,  # /escrows: list, new, one with its timeline and its buttons
    disputes.bp,  # /disputes: what an arbiter is to decide, and figures
    catalogue.bp,  # /catalogue: services, a new one, and one with its rules
    address_book.bp,  # /wallet/addresses: names of addresses to send to
    wallets.bp,  # /wallet: balances, deposits, payouts, statement, withdrawal
    fund.bp,  # /fund: figures, airdrops, rules, files of all of it
    nodes.bp,  # /network: all nodes, a new one, and one with its health, reputation and prospects
    solvency.bp,  # /solvency: what is owed and held, for everybody; each owner's proof
    case_files.bp,  # /case-files: how to check one, and the keys, for everybody
    operations.bp,  # /operations: the state of the service, its switches, and single payouts
    operations.metrics.bp,  # /metrics: the same figures for Prometheus
    account.bp,  # /account: payout address, signing keys, sessions, password
    language.bp,  # /language: the choice of one
    second_factor.bp,  # /account/second-factor: authenticator, recovery codes
    notices.bp,  # /notices: the inbox
    notice_mail.bp,  # /notices/choices  /notices/mail: what is told by which way, and the links in mail
    live.bp,  # /live: tells open pages what has changed
    health.bp,  # /health/live  /health/ready: for supervisors and load balancers
)


def register_blueprints(app: OpenAPI) -> None:
    """Put the pages in their places, and the JSON endpoints: /escrow, /wallet, /payout, /community-fund, /nodes,
    /services, /openapi.
    """
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    register_api(app)
