"""DuxOS Escrow: `create_app()` puts settings, extensions, services, pages and commands together."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from sqlalchemy.exc import OperationalError, ProgrammingError
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp.commands import register_commands
from webapp.config import Settings, load_config
from webapp.extensions import csrf, db, prepare_engine
from webapp.logs import configure_logs

ROOT = Path(__file__).resolve().parent.parent


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application of one instance. Without settings it reads the configured instance's.

    Raises ConfigurationError when the settings are not valid. Does not ask the daemon. Makes the file of the
    embedded database if there is none; away from regtest it raises WrongNetworkError for a database of another network.
    """
    from webapp import schema
    from webapp.blueprints import register_blueprints
    from webapp.blueprints.api import make_flask
    from webapp.services.container import Services
    from webapp.services.live.hub import Hub
    from webapp.web import init_web

    configure_logs()
    settings = settings or load_config()
    app = make_flask(
        "webapp",
        instance_path=str(settings.instance_path),
        static_folder=str(ROOT / "static"),
        template_folder=str(ROOT / "templates"),
    )
    app.extensions["duxos"] = Services.of(settings)
    app.extensions["duxos_live"] = Hub(settings)
    _configure(app, settings)
    _init_extensions(app)
    init_web(app)
    register_blueprints(app)
    _put_in_front(app, settings)
    register_commands(app)
    if schema.make_sqlite_file(settings.database_url):
        schema.create_if_missing(app)
    if settings.wallet.network != "regtest":
        _refuse_play_money(app, settings)
    return app


def _put_in_front(app: Flask, settings: Settings) -> None:
    """What sees a request before Flask: first of all what proxies say of its sender is put right."""
    from webapp.blueprints.api.hot_path import HotPath

    app.wsgi_app = HotPath(app, app.wsgi_app)  # type: ignore[method-assign]
    if hops := settings.security.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def _refuse_play_money(app: Flask, settings: Settings) -> None:
    """Real coins never meet the accounts and balances of a chain of one's own: their passwords are printed."""
    from webapp.services.deposits.addresses import require_same_network

    with app.app_context():
        try:
            require_same_network(db.session(), settings.wallet.network)
        except (OperationalError, ProgrammingError):
            db.session.rollback()  # Away, or without tables yet: then there is nothing in it to be used.


def _configure(app: Flask, settings: Settings) -> None:
    from webapp.services.database import engine_options

    security = settings.security
    app.config.update(
        SECRET_KEY=security.secret_key.get_secret_value(),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings),
        MAX_CONTENT_LENGTH=256 * 1024,
    )


def _init_extensions(app: Flask) -> None:
    import webapp.models  # noqa: F401  (makes every table known)
    from webapp.web import body_sizes, rate_limits, signed_requests

    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    body_sizes.init_body_sizes(app)
    # In this order: who asks, how often, and only then what they want.
    signed_requests.init_signed_requests(app)
    rate_limits.init_rate_limits(app)
    csrf.init_app(app)
