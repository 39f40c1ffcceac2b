"""What there is to translate: gathered from the code and the templates, and compared with a file of translations."""

from __future__ import annotations

import io
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from webapp.web.catalogues import catalogue_path

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = "DuxOS Escrow"
KEYWORDS = DEFAULT_KEYWORDS | {
    "_l": None,
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
    "said": None,
    "counted": (2, 3),
}
# As `init_language` sets up the environment: the same text has to come out of the same template.
_TEMPLATE_OPTIONS = {
    "trimmed": "true",
    "newstyle_gettext": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
    "silent": "false",
}
_SOURCES: tuple[tuple[str, list[tuple[str, str]], dict[str, dict[str, str]]], ...] = (
    ("webapp", [("**.py", "python")], {}),
    ("templates", [("**.html", "jinja2.ext:babel_extract")], {"**.html": _TEMPLATE_OPTIONS}),
)


def texts_to_translate() -> Catalog:
    """All texts of the project that somebody reads, each with the files that it is in."""
    catalogue = Catalog(project=PROJECT, charset="utf-8")
    for folder, methods, options in _SOURCES:
        found = extract_from_dir(
            ROOT / folder,
            methods,
            options,
            keywords=KEYWORDS,
            comment_tags=("Translators:",),  # one word before the colon: Jinja's reader looks for no more
            strip_comment_tags=True,
        )
        for name, line, message, comments, context in sorted(found, key=lambda each: (each[0], each[1])):
            catalogue.add(
                message, None, [(f"{folder}/{name}", line)], auto_comments=comments, context=context
            )
    return catalogue


def read_catalogue(language: str) -> Catalog:
    """The translations into a language as they are in its file; none yet when there is no file."""
    path = catalogue_path(language)
    if not path.exists():
        return Catalog(locale=language, project=PROJECT, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def bring_up_to_date(language: str) -> Catalog:
    """Add to a language's file what is new, and drop what is said no more; translations of the rest stay.

    Makes the file of a language that has none. Raises babel.UnknownLocaleError for a language that nobody speaks.
    """
    Locale.parse(language)
    texts, catalogue = texts_to_translate(), read_catalogue(language)
    texts.locale = catalogue.locale
    catalogue.update(texts, no_fuzzy_matching=True, keep_user_comments=True)
    catalogue.obsolete.clear()
    written = io.BytesIO()
    written.write(_header(catalogue).encode())
    write_po(written, catalogue, width=110, include_lineno=False, omit_header=True)
    path = catalogue_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written.getvalue())
    return catalogue


def _header(catalogue: Catalog) -> str:
    """What the file has to say of itself, and nothing that changes from one day to the next."""
    return f"""# {PROJECT} in {catalogue.locale.english_name if catalogue.locale else "an unknown language"}.
msgid ""
msgstr ""
"Project-Id-Version: {PROJECT}\\n"
"Language: {catalogue.locale_identifier}\\n"
"Plural-Forms: {catalogue.plural_forms}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def untranslated(catalogue: Catalog) -> list[str]:
    """The texts, in English, that a catalogue has no translation of, or only a doubtful one."""
    return [
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalogue
        if message.id and (message.fuzzy or not _is_translated(message.string))
    ]


def _is_translated(text: str | tuple[str, ...] | list[str] | None) -> bool:
    return all([text] if text is None or isinstance(text, str) else text or [None])
