"""In which language a page speaks, and how it says in it what was said in English.

The reader's own setting counts first, then what was chosen in this browser, then what the browser asks for. Programs
are answered in English, whatever they ask for. Times are UTC in every language, as the footer says.

Templates say `_("Text")`, `ngettext(...)`, `pgettext(meaning, "Text")` and `{% trans %}`; modules of `web` and
`blueprints` the same by `flask_babel`. A `Said` of the layers below is translated wherever it is shown: by itself in a
template, as a value of another text, or by `translated`. A `lazy_gettext` takes no values: a template would not escape
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from babel import Locale
from babel.numbers import get_decimal_symbol
from babel.support import NullTranslations
from flask import Flask, Response, has_request_context, request, session
from flask_babel import Babel, Domain, force_locale, get_locale, gettext
from flask_babel.speaklater import LazyString
from flask_login import current_user
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from webapp.domain.money import Amount
from webapp.domain.said import Said
from webapp.web.catalogues import SOURCE_LANGUAGE, language_name, language_tag, languages, translations
from webapp.web.negotiation import wants_problem

CHOICE = "language"


class _Messages(Domain):
    """Flask-Babel's translations, taken from our catalogues, with values that are translated, too."""

    def get_translations(self) -> NullTranslations:
        return translations(present_language())

    def gettext(self, string: str, **values: Any) -> str:
        return cast(str, super().gettext(string, **_shown_values(values)))

    def ngettext(self, singular: str, plural: str, num: int, **values: Any) -> str:
        return cast(str, super().ngettext(singular, plural, num, **_shown_values(values)))


class _Languages(Babel):
    domain_instance = _Messages()


def present_locale() -> Locale:
    """The locale of the present reader; English where nobody reads, as in the log."""
    return get_locale() or Locale.parse(SOURCE_LANGUAGE)


def present_language() -> str:
    """The present reader's language, one of `languages()`."""
    return str(present_locale())


def choose_language() -> str:
    """The language for the present request."""
    if not has_request_context() or wants_problem():
        return SOURCE_LANGUAGE
    own = current_user.user.language if current_user.is_authenticated else None
    return own if own in languages() else browser_language()


def browser_language() -> str:
    """The language that was chosen in this browser, or else the best of those that it asks for."""
    chosen = session.get(CHOICE)
    if chosen in languages():
        return cast(str, chosen)
    wanted = (_best_of_ours(tag) for tag, quality in request.accept_languages if quality > 0)
    return next((language for language in wanted if language), SOURCE_LANGUAGE)


def _best_of_ours(tag: str) -> str | None:
    """The language for a wanted tag: the same, the language without its region, or that of another region."""
    ours = {language_tag(language).lower(): language for language in languages()}
    wanted = tag.lower()
    primary = wanted.partition("-")[0]
    kin = (language for known, language in ours.items() if known.partition("-")[0] == primary)
    return ours.get(wanted) or ours.get(primary) or next(kin, None)


def browser_choice() -> str | None:
    """What was chosen in this browser, if anything was."""
    return session.get(CHOICE)


def keep_browser_choice(language: str | None) -> None:
    """Keep what was chosen in this browser; None forgets it."""
    session.pop(CHOICE, None)
    if language is not None:
        session[CHOICE] = language


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Say what is said inside in this language, in English for None or one that there is not: for a mail, say."""
    with force_locale(language if language in languages() else SOURCE_LANGUAGE):
        yield


def translated(text: str) -> str:
    """What was said, in the reader's language. A plain text is returned as it is."""
    if not isinstance(text, Said):
        return text
    found = gettext(text.template)
    return found.format_map(_shown_values(text.values)) if text.values else found


def lazily(text: str) -> LazyString:
    """What was said, in the language of whoever it is shown to: for the labels of forms, which are made once."""
    return LazyString(translated, text)


def recalled(text: str | None) -> str:
    """What was kept in the database as its English text: translated if it is a sentence of ours without values.

    What people have written is returned as they wrote it.
    """
    return gettext(text) if text else ""


def _shown_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shown(value) for name, value in values.items()}


def _shown(value: Any) -> Any:
    """A value as it stands in a translated sentence."""
    if isinstance(value, Amount):
        return str(value).replace(".", get_decimal_symbol(present_locale()))
    return translated(value) if isinstance(value, Said) else value


def _finally(value: Any) -> Any:
    """What a template writes for a value."""
    return translated(value) if isinstance(value, Said) else value


@pass_context
def _template_gettext(context: Context, text: str, /, **values: Any) -> str:
    return _filled(context, translations(present_language()).gettext(text), values)


@pass_context
def _template_ngettext(context: Context, singular: str, plural: str, num: int, /, **values: Any) -> str:
    text = translations(present_language()).ngettext(singular, plural, num)
    return _filled(context, text, {"num": num, **values})


@pass_context
def _template_pgettext(context: Context, meaning: str, text: str, /, **values: Any) -> str:
    return _filled(context, cast(str, translations(present_language()).pgettext(meaning, text)), values)


def _filled(context: Context, text: str, values: dict[str, Any]) -> str:
    """As Jinja's own: the text may hold HTML, its values are escaped, and `%%` is a percent sign."""
    template = Markup(text) if context.eval_ctx.autoescape else text  # noqa: S704  (a text of our own)
    return template % _shown_values(values)


def tell_language(response: Response) -> Response:
    """Say in the headers in which language a page is, and what that depended on."""
    if response.mimetype == "text/html" and "Content-Language" not in response.headers:
        response.headers["Content-Language"] = language_tag(present_language())
        response.vary.update(["Accept-Language", "Cookie"])
    return response


def init_language(app: Flask) -> None:
    """Tie the languages to an app and its templates."""
    _Languages(configure_jinja=False).init_app(app, locale_selector=choose_language)
    environment = app.jinja_env
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension's own
    environment.globals.update(
        gettext=_template_gettext,
        ngettext=_template_ngettext,
        pgettext=_template_pgettext,
        languages=languages,
        language_name=language_name,
        language_tag=language_tag,
        present_language=present_language,
    )
    environment.filters["translated"] = translated
    environment.finalize = _finally
    app.after_request(tell_language)
