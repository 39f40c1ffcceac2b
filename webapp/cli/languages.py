"""`flask languages`: the files of translations."""

from __future__ import annotations

import click
from babel import UnknownLocaleError

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.web.catalogue_files import bring_up_to_date, untranslated
from webapp.web.catalogues import SOURCE_LANGUAGE, languages

language_commands = DuxosGroup("languages", help="Languages of the pages.")


@language_commands.command("update")
@click.argument("names", nargs=-1)
@json_option
def update_languages(names: tuple[str, ...], as_json: bool) -> None:
    """Bring the files of translations up to date with what the code says; all of them, or those of NAMES.

    A name without a file, such as pt_BR, gets one.
    """
    open_texts = {}
    for name in names or [language for language in languages() if language != SOURCE_LANGUAGE]:
        try:
            open_texts[name] = len(untranslated(bring_up_to_date(name)))
        except (UnknownLocaleError, ValueError) as error:
            raise click.BadParameter(str(error)) from error
    emit({f"not translated into {name}": count for name, count in open_texts.items()}, as_json=as_json)
