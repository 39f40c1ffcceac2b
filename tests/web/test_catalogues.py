"""The files of translations hold all that is said, and nothing else; and all that is said can be gathered."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message

from webapp.web.catalogue_files import ROOT, read_catalogue, texts_to_translate, untranslated
from webapp.web.catalogues import SOURCE_LANGUAGE, languages

# Name of the function -> which of its arguments is the first text.
SAYING = {"said": 0, "_": 0, "_l": 0, "gettext": 0, "lazy_gettext": 0, "ngettext": 0}
# They translate what was written out, and gathered, elsewhere.
TRANSLATORS = {"webapp/web/language.py", "webapp/web/notice_words.py"}
PRINTF = re.compile(r"%\((\w+)\)[sd]|%%")


@pytest.fixture(scope="module")
def texts() -> Catalog:
    return texts_to_translate()


def sayings() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / "webapp").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
                yield f"{name}:{node.lineno}", node


def ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def test_every_text_is_written_out_where_it_can_be_gathered(texts: Catalog) -> None:
    known = {ids(message)[0] for message in texts}
    computed, lost, lazy = [], [], []
    for place, call in sayings():
        text = call.args[0] if call.args else None
        if isinstance(text, ast.Constant):
            lost += [] if text.value in known else [place]
        elif not (isinstance(text, ast.Attribute) and text.attr == "template"):
            computed += [] if place.split(":")[0] in TRANSLATORS else [place]
        if call.func.id in ("_l", "lazy_gettext") and call.keywords:  # type: ignore[attr-defined]
            lazy.append(place)
    assert computed == [], "only a text that is written out can be gathered"
    assert lost == [], "inside an f-string no text is gathered"
    assert lazy == [], "no template escapes the values of a lazy text"


def placeholders(text: str) -> set[str]:
    """What is filled in: `%(name)s` in texts of pages, `{name}` in what was said below them."""
    if found := {name for name in PRINTF.findall(text) if name}:
        return found
    return {name for _text, name, _spec, _conversion in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", [each for each in languages() if each != SOURCE_LANGUAGE])
def test_a_translation_fills_in_what_the_text_does(language: str) -> None:
    wrong = []
    for message in read_catalogue(language):
        said = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        wanted = placeholders(" ".join(ids(message)))
        singular_needs_none = len(said) > 1
        for place, text in enumerate(said):
            found = placeholders(text)
            if (
                text
                and message.id
                and found != wanted
                and not (singular_needs_none and place == 0 and found < wanted)
            ):
                wrong.append((ids(message)[0], text))
    assert wrong == []


@pytest.mark.parametrize("language", [each for each in languages() if each != SOURCE_LANGUAGE])
def test_everything_is_translated_and_nothing_that_is_said_no_more(texts: Catalog, language: str) -> None:
    catalogue = read_catalogue(language)
    assert untranslated(catalogue) == []
    wanted, found = ({(each.context, ids(each)) for each in one if each.id} for one in (texts, catalogue))
    assert (wanted - found, found - wanted) == (set(), set()), "run `flask languages update`, and translate"
