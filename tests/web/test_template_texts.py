"""Every text of a template can be said in another language: none stands in it plainly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.support import NullTranslations
from flask import Flask, render_template_string
from jinja2 import Environment, nodes

from webapp.web import language

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"

# Names, and what is the same in every language.
PLAIN = {"DuxOS Escrow", "FLOP", "SHA-256", "python -m webapp.domain.solvency verify FILE"}
# It is kept with the refund as its reason, and what is kept is English.
PLAIN.add("No result was delivered in time")
# Macros and blocks that write attributes, examples of code, and the drawings of icons.
WITHOUT_TEXT = re.compile(r"\w+_attributes|refresh|body_class|example|shapes")
TRANSLATING = {"_", "gettext", "ngettext", "pgettext", "npgettext"}
READ_ALOUD = {"aria-label", "title", "placeholder", "alt"}
CODE = {"code", "pre", "script", "style"}


class _Page(HTMLParser):
    """Collects the plain texts of a page, and of its attributes that people read or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside_code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside_code += tag in CODE
        self.texts += [value for name, value in attrs if value and name in READ_ALOUD]

    def handle_endtag(self, tag: str) -> None:
        self._inside_code -= tag in CODE

    def handle_data(self, data: str) -> None:
        if not self._inside_code:
            self.texts.append(data)


def untranslated(source: str) -> list[str]:
    """The texts of a template that a reader would see in English in every language."""
    template = Environment(extensions=["jinja2.ext.i18n"]).parse(source)  # noqa: S701  (nothing is rendered)
    page = _Page()
    page.feed("".join(_markup(template)))
    page.close()
    found = [" ".join(text.split()).strip("•()– ") for text in [*page.texts, *_strings(template)]]
    return [text for text in found if re.search("[A-Za-z]{2}", text) and text not in PLAIN]


def _markup(node: nodes.Node) -> Iterator[str]:
    """The HTML between the expressions; each of those is a sign that is no letter."""
    for child in _children(node):
        if isinstance(child, nodes.TemplateData):
            yield child.data
        elif isinstance(child, nodes.Expr):
            yield "\N{BULLET}"
        else:
            yield from _markup(child)


def _strings(node: nodes.Node) -> Iterator[str]:
    """The strings in expressions that look like something to read, and are not given to be translated."""
    for child in _children(node):
        if isinstance(child, nodes.Const) and isinstance(child.value, str):
            if re.search("^[A-Z][a-z]|[A-Za-z] [A-Za-z]", child.value.strip()):
                yield child.value
        elif not (isinstance(child, nodes.Call) and getattr(child.node, "name", None) in TRANSLATING):
            yield from _strings(child)


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    for child in node.iter_child_nodes():
        name = getattr(child, "name", None) or getattr(getattr(child, "target", None), "name", "")
        if not WITHOUT_TEXT.fullmatch(str(name)):
            yield child


def test_no_template_has_a_text_that_cannot_be_translated() -> None:
    paths = sorted(TEMPLATES.rglob("*.html"))
    left = {str(path.relative_to(TEMPLATES)): untranslated(path.read_text()) for path in paths}
    assert len(paths) > 100
    assert {name: texts for name, texts in left.items() if texts} == {}


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("<p>{{ _('Said') }} {{ amount }}</p>", []),
        ("<p>{% trans who=name %}Said to {{ who }}.{% endtrans %} <code>plain code</code></p>", []),
        ("<p>Said</p>", ["Said"]),
        ("<p>{% if yes %}{{ amount }} more{% endif %}</p>", ["more"]),
        ("<img alt='A picture' class='wide'>", ["A picture"]),
        ("{{ submit('Send it') }}{{ submit(_('Send it')) }}", ["Send it"]),
        ("{{ field(f, hint='at least ' ~ amount) }}", ["at least"]),
        ("{{ _('one more') if yes else 'no more' }}", ["no more"]),
    ],
)
def test_such_texts_are_found(source: str, left: list[str]) -> None:
    assert untranslated(source) == left


class _Marked(NullTranslations):
    """A language in which everything is said in brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_macros_keep_no_language_and_escape_what_stands_in_a_text(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"en": NullTranslations(), "es": _Marked()}
    monkeypatch.setattr(language, "translations", lambda tag: kept[tag])
    source = """{% from "macros/blocks.html" import page_head %}{% from "macros/words.html" import whole_id %}
        {{ page_head("Home", back="/") }}{{ whole_id("1", '"><i>') }}
        {% trans who="<b>x</b>" %}Paid to <em>{{ who }}</em>.{% endtrans %}"""
    for tag, marks in (("en", ("", "")), ("es", ("⟦", "⟧")), ("en", ("", ""))):
        with app.test_request_context(), language.speaking(tag):
            shown = render_template_string(source)
        assert f"</svg>{marks[0]}Back{marks[1]}</a>" in shown
        assert f'aria-label="{marks[0]}Copy the &#34;&gt;&lt;i&gt;{marks[1]}"' in shown
        assert f"{marks[0]}Paid to <em>&lt;b&gt;x&lt;/b&gt;</em>.{marks[1]}" in shown
