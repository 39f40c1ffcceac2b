"""In which language a page speaks, and that what was said in English is shown in it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Blueprint, Flask, render_template_string
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.exc import OperationalError
from wtforms.validators import InputRequired

from tests.support.browsing import Browser
from webapp.domain.exceptions import InvalidAmountError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import User
from webapp.services.sessions import Sessions
from webapp.web import catalogues, formats
from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, stripped
from webapp.web.guards import public
from webapp.web.language import speaking, translated

WORDS = {
    "must be at most {most} FLOP": "debe ser {most} FLOP como mucho",
    "{field}: {message}": "{field}: {message}",
    "Nothing was changed: %(reason)s": "No se ha cambiado nada: %(reason)s",
    "a <b>%(name)s</b>": "un <b>%(name)s</b>",
    "Too much": "Demasiado",
    "The service is busy": "El servicio está ocupado",
    "The amount is not valid": "La cantidad no es válida",
    "Some of the input is not valid": "Algo de lo enviado no es válido",
}
PLURALS = {("%(num)d node", "%(num)d nodes"): ("%(num)d nodo", "%(num)d nodos")}


@pytest.fixture(autouse=True)
def spanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """English, and as much Spanish as the tests here need."""
    lines = ['msgid ""\nmsgstr "Language: es\\nContent-Type: text/plain; charset=utf-8\\n"']
    lines += [f'msgid "{english}"\nmsgstr "{spanish}"' for english, spanish in WORDS.items()]
    lines += [
        f'msgid "{one}"\nmsgid_plural "{many}"\nmsgstr[0] "{uno}"\nmsgstr[1] "{muchos}"'
        for (one, many), (uno, muchos) in PLURALS.items()
    ]
    path = tmp_path / "translations" / "es" / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    path.write_text("\n\n".join(lines))
    monkeypatch.setattr(catalogues, "FOLDER", tmp_path / "translations")
    forget()
    yield
    forget()


def forget() -> None:
    catalogues.languages.cache_clear()
    catalogues.translations.cache_clear()


def language_of(browser: Browser, **headers: str) -> str:
    response = browser.client.get("/login" if not browser.email else "/account", headers=headers)
    language = response.headers["Content-Language"]
    assert f'<html lang="{language}">' in response.text
    assert {"Accept-Language", "Cookie"} <= set(response.vary)
    return language


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("", "en"),
        ("es", "es"),
        ("es-MX,en;q=0.5", "es"),
        ("fr,de;q=0.9", "en"),
        ("en-GB,es;q=0.9", "en"),
        ("fr,es;q=0.2,en;q=0.1", "es"),
        ("*, nonsense;q=x", "en"),
    ],
)
def test_the_browser_is_answered_in_the_best_language_that_it_asks_for(
    browser: Browser, asked: str, spoken: str
) -> None:
    assert language_of(browser, **{"Accept-Language": asked}) == spoken


def test_a_choice_counts_more_than_what_the_browser_asks_for_and_outlives_the_log_out(
    app: Flask, session
) -> None:
    visitor = Browser(app)
    response = visitor.post("/language", {"language": "es", "next": "/register"})

    assert (response.status_code, response.location) == (303, "/register")
    assert language_of(visitor, **{"Accept-Language": "en"}) == "es"
    visitor.register("reader@example.org")
    assert language_of(visitor) == "es"
    assert session.query(User).one().language == "es", "mails are written in it, too"
    visitor.log_out()
    assert language_of(visitor) == "es"


def test_what_a_user_chooses_counts_in_every_browser_until_it_is_left_to_the_browser(
    app: Flask, payer: Browser, session
) -> None:
    payer.post("/language", {"language": "es"})
    elsewhere = Browser(app)
    elsewhere.post("/language", {"language": "en"})
    elsewhere.log_in("payer@example.org")

    assert session.query(User).one().language == "es"
    assert language_of(elsewhere, **{"Accept-Language": "en"}) == "es"

    payer.post("/language", {"language": "browser"})
    assert language_of(payer, **{"Accept-Language": "es"}) == "es"
    assert language_of(payer, **{"Accept-Language": "en"}) == "en"
    assert language_of(elsewhere) == "en"


def test_no_other_language_can_be_chosen_and_none_leads_elsewhere(browser: Browser) -> None:
    assert browser.post("/language", {"language": "../es"}).status_code == 422
    assert browser.post("/language", {"language": "es", "next": "//elsewhere.example"}).location == "/"


def test_the_page_offers_every_language_by_its_own_name_and_marks_the_present_one(browser: Browser) -> None:
    page = browser.get("/login").text
    assert 'value="en" lang="en" aria-current="true">English</button>' in page
    assert 'value="es" lang="es">Español</button>' in page


def test_what_was_said_is_its_english_text_everywhere_but_where_it_is_shown(app: Flask) -> None:
    refusal = said("must be at most {most} FLOP", most="12")
    assert refusal == "must be at most 12 FLOP"
    assert json.dumps([refusal]) == '["must be at most 12 FLOP"]'
    assert type(pickle.loads(pickle.dumps(refusal))) is str  # noqa: S301  (our own)
    assert said("{braces} stay") == "{braces} stay"

    with app.test_request_context():
        assert translated(refusal) == refusal
        with speaking("es"):
            assert translated(refusal) == "debe ser 12 FLOP como mucho"
            assert translated("Too much") == "Too much", "only what was said is translated"
            assert gettext("Nothing was changed: %(reason)s", reason=refusal).endswith("12 FLOP como mucho")
            assert translated(said("{field}: {message}", field="amount", message=refusal)).endswith(
                "como mucho"
            )
            assert [ngettext("%(num)d node", "%(num)d nodes", n) for n in (1, 2)] == ["1 nodo", "2 nodos"]
        with speaking("xx"):
            assert translated(refusal) == refusal
        with speaking(None):
            assert translated(refusal) == refusal


def test_templates_translate_sentences_and_what_was_said_and_escape_values(app: Flask) -> None:
    source = """{{ refusal }}|{{ _("Nothing was changed: %(reason)s", reason=refusal) }}|
        {%- trans name="<x>" %}
          a <b>{{ name }}</b>
        {% endtrans %}|{% trans count=2 %}{{ count }}{% pluralize %}{{ count }}s{% endtrans %}|
        {{- ngettext("%(num)d node", "%(num)d nodes", 3) }}"""
    with app.test_request_context(), speaking("es"):
        shown = render_template_string(source, refusal=said("must be at most {most} FLOP", most="<1>"))
    assert shown.split("|") == [
        "debe ser &lt;1&gt; FLOP como mucho",
        "No se ha cambiado nada: debe ser &lt;1&gt; FLOP como mucho",
        "un <b>&lt;x&gt;</b>",
        "2s",
        "3 nodos",
    ]


def test_a_failure_of_the_database_is_told_in_the_language_of_the_browser(
    app: Flask, payer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = payer.client.get("/account", headers={"Accept-Language": "es"})
    assert keep.headers["Content-Language"] == "es"

    def fail(*_arguments: object, **_options: object) -> None:
        raise OperationalError("SELECT 1", {}, RuntimeError("away"))

    monkeypatch.setattr(Sessions, "find", fail)
    page = payer.client.get("/account", headers={"Accept-Language": "es"})
    assert (page.status_code, page.headers["Content-Language"]) == (503, "es")
    assert '<html lang="es">' in page.text
    assert "El servicio está ocupado" in page.text


@pytest.fixture
def probe(app: Flask) -> str:
    """A page that refuses everything in words of the layers below."""

    @public
    def refuse() -> str:
        raise ValidationError.of("amount", said("must be at most {most} FLOP", most=5))

    blueprint = Blueprint("probe", __name__)
    blueprint.add_url_rule("/probe", "refuse", refuse)
    app.register_blueprint(blueprint)
    return "/probe"


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_refusal_is_read_in_the_language_of_the_page(browser: Browser, probe: str, htmx: bool) -> None:
    browser.post("/language", {"language": "es"})
    response = browser.get(probe, htmx=htmx)
    assert "amount: debe ser 5 FLOP como mucho" in response.text
    assert "Algo de lo enviado no es válido" in response.text
    assert response.headers["Content-Language"] == "es"


def test_a_program_is_answered_in_english_whatever_it_asks_for(browser: Browser, probe: str) -> None:
    browser.post("/language", {"language": "es"})
    headers = {"Accept": "application/json", "Accept-Language": "es"}
    answer = browser.client.get(probe, headers=headers)
    assert answer.json is not None
    assert answer.json["title"] == "Some of the input is not valid"
    assert answer.json["errors"] == [{"field": "amount", "message": "must be at most 5 FLOP"}]


def test_a_form_says_what_is_wrong_in_the_language_of_the_page(app: Flask) -> None:
    from wtforms import StringField
    from wtforms.validators import Length

    class Probe(PageForm):
        amount = StringField("", [InputRequired(lazy_gettext("Too much"))], [stripped])
        name = StringField("", [Length(max=3)])

    with app.test_request_context(method="POST", data={"name": "long"}), speaking("es"):
        form = Probe()
        assert not form.validate()
        assert str(form.amount.errors[0]) == "Demasiado"
        assert "El campo no puede tener más de 3 caracteres" in str(form.name.errors[0])
        form.take_errors(ValidationError.of("name", said("must be at most {most} FLOP", most=1)))
        assert form.name.errors[-1] == "Debe ser 1 FLOP como mucho"


def test_a_new_language_is_one_file_that_can_be_made_and_brought_up_to_date(app: Flask) -> None:
    runner = app.test_cli_runner()
    made = runner.invoke(args=["languages", "update", "pt_BR", "--json"])
    assert made.exit_code == 0, made.output
    path = catalogues.catalogue_path("pt_BR")
    text = path.read_text()
    missing = json.loads(made.output)["not translated into pt_BR"]
    assert missing == text.count('\nmsgstr ""\n') + text.count('\nmsgstr[0] ""\n') - 1

    path.write_text(
        text.replace('msgid "Not found"\nmsgstr ""', 'msgid "Not found"\nmsgstr "Não encontrado"')
    )
    again = runner.invoke(args=["languages", "update", "pt_BR", "--json"])
    assert json.loads(again.output)["not translated into pt_BR"] == missing - 1
    forget()
    with app.test_request_context(headers={"Accept-Language": "pt"}):
        assert translated(said("Not found")) == "Não encontrado"
    assert runner.invoke(args=["languages", "update", "klingon"]).exit_code == 2


@pytest.mark.parametrize(
    ("language", "amount", "share", "many", "date"),
    [
        ("en", "1,234.50000000\u00a0FLOP", "2.25\u00a0%", "1,234", "31 Jan 2026"),
        ("es", "1\u202f234,50000000\u00a0FLOP", "2,25\u00a0%", "1\u202f234", "31 ene 2026"),
    ],
)
def test_numbers_and_times_are_written_as_the_language_writes_them(
    app: Flask, language: str, amount: str, share: str, many: str, date: str
) -> None:
    when = datetime(2026, 1, 31, 12, 5, tzinfo=UTC)
    with app.test_request_context(), speaking(language):
        assert formats.money(Amount.parse("1234.5")) == amount
        assert formats.percent(225) == share
        assert formats.number(1234) == many
        assert formats.day_and_time(when) == f"{date}, 12:05"
        limit = said("must be at most {most} FLOP", most=Amount.parse("0.5"))
        assert ("0,50000000" if language == "es" else "0.50000000") in translated(limit)


@pytest.mark.parametrize(
    ("typed", "english", "spanish"),
    [
        ("12", "12", "12"),
        ("12.5", "12.5", "12.5"),
        ("12.50000000", "12.50000000", "12.50000000"),
        ("0.125", "0.125", "0.125"),
        ("1.234", "1.234", None),
        ("1,234", None, None),
        ("12,5", None, "12.5"),
        ("12,50", None, "12.50"),
        ("0,125", None, "0.125"),
        ("1234,567", None, "1234.567"),
        ("1,234.50", "1234.50", None),
        ("1.234,50", None, "1234.50"),
        ("1\u202f234,50000000", None, "1234.50000000"),
        ("1 234", "1234", "1234"),
        ("1 234.5", "1234.5", None),
        ("1,234,567", None, None),
        ("12 34", None, None),
        ("1e3", None, None),
    ],
)
def test_no_amount_can_be_mistyped_a_thousandfold(
    app: Flask, typed: str, english: str | None, spanish: str | None
) -> None:
    class Probe(PageForm):
        amount = AmountField("", [InputRequired()])

    for language, wanted in (("en", english), ("es", spanish)):
        with app.test_request_context(method="POST", data={"amount": typed}), speaking(language):
            form = Probe()
            is_valid = form.validate()
            assert f'value="{typed}"' in form.amount(), "what was typed stays"
            try:
                read = Amount.parse(form.amount.data if is_valid else "")
            except InvalidAmountError:
                assert wanted is None, (typed, language)
            else:
                assert read == Amount.parse(wanted), (typed, language)
    with app.test_request_context(), speaking("es"):
        form = Probe(formdata=None, data={"amount": "12.50000000"})
        assert 'value="12,50000000"' in form.amount()
