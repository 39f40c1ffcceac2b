"""The base of all forms, and how a service's refusal finds its way beside the fields."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field
from wtforms.validators import StopValidation

from webapp.domain.exceptions import DuxosError, ValidationError
from webapp.domain.reasons import checked_reason
from webapp.web.language import translated


class PageForm(FlaskForm):
    """A form of a page. The CSRF token is checked for every POST before any view runs, so not again here."""

    class Meta(FlaskForm.Meta):
        """No token field of its own: macros/forms.html draws it."""

        csrf = False

    form_errors: list[str]

    def take_errors(self, error: DuxosError) -> None:
        """Put the messages of `error.fields` beside their fields; what has no field here becomes the form's own."""
        elsewhere = [] if error.fields else [translated(error.detail)]
        for name, message in self._by_field(error.fields).items():
            if name in self._fields:
                field = self._fields[name]
                field.errors = [*field.errors, _sentence(message)]
            else:
                elsewhere.append(f"{name}: {message}")
        self.form_errors.extend(_sentence(message) for message in elsewhere)

    def _by_field(self, messages: dict[str, str]) -> dict[str, str]:
        """The messages with those about parts of a field (`limits.width`) as one message about that field."""
        found: dict[str, str] = {}
        for name, message in messages.items():
            whole, _, part = name.partition(".")
            is_part = bool(part) and name not in self._fields and whole in self._fields
            said = translated(message)
            field, text = (whole, f"{part}: {said}") if is_part else (name, said)
            found[field] = f"{found[field]}; {text}" if field in found else text
        return found


def stripped(value: Any) -> Any:
    """A filter for text fields: without the white space around it."""
    return value.strip() if isinstance(value, str) else value


def readable_reason(_form: FlaskForm, field: Field) -> None:
    """A validator for what others will read."""
    try:
        checked_reason(field.data)
    except ValidationError as error:
        raise StopValidation(_sentence(translated(error.fields["reason"]))) from error


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:]
