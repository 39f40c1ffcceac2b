"""The languages that there are: English, in which everything is written, and one for each file of translations.

`webapp/translations/<language>/LC_MESSAGES/messages.po` is all that a language needs. It is read when somebody wants
the language for the first time, so there is nothing to build. `flask languages update` brings the files up to date.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

FOLDER = Path(__file__).resolve().parent.parent / "translations"
SOURCE_LANGUAGE = "en"
LONGEST_LANGUAGE = 16


def catalogue_path(language: str) -> Path:
    """Where the translations into a language are, or would be."""
    return FOLDER / language / "LC_MESSAGES" / "messages.po"


@cache
def languages() -> tuple[str, ...]:
    """The languages of this installation, as `es` or `pt_BR`, English first."""
    found = sorted(path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/messages.po"))
    return (SOURCE_LANGUAGE, *(name for name in found if name != SOURCE_LANGUAGE))


@cache
def translations(language: str) -> NullTranslations:
    """What was translated into a language. Empty for English, and for one that there is not."""
    if language not in languages() or language == SOURCE_LANGUAGE:
        return Translations()
    with catalogue_path(language).open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)  # leaves out what is doubtful ("fuzzy"): better English than wrong
    compiled.seek(0)
    return Translations(compiled, domain="messages")


def language_name(language: str) -> str:
    """A language's name in itself: `Español`."""
    name = Locale.parse(language).get_display_name() or language
    return name[:1].upper() + name[1:]


def language_tag(language: str) -> str:
    """A language as HTML and HTTP write it: `pt-BR`."""
    return language.replace("_", "-")
