"""The choice of a language, from the foot of any page and from the account."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said
from webapp.web.catalogues import languages
from webapp.web.current import db_session, services
from webapp.web.guards import public, safe_next
from webapp.web.htmx import done
from webapp.web.language import keep_browser_choice
from webapp.web.navigation import home_url

bp = Blueprint("language", __name__)

AS_THE_BROWSER_ASKS = "browser"


@bp.post("/language")
@public
def choose() -> ResponseReturnValue:
    """Speak the language that was chosen: in this browser, and to whoever is logged in wherever they log in."""
    chosen = request.form.get("language", "")
    if chosen not in languages() and chosen != AS_THE_BROWSER_ASKS:
        raise ValidationError.of("language", said("is not one of those that there are"))
    language = None if chosen == AS_THE_BROWSER_ASKS else chosen
    keep_browser_choice(language)
    if current_user.is_authenticated:
        services().identity(db_session()).choose_language(current_user.user, language)
    return done(safe_next(request.form.get("next")) or home_url())
