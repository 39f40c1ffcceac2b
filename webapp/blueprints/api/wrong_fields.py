"""What pydantic found wrong, as the service says it: each field once, with a message of ours where it has none."""

from __future__ import annotations

import pydantic

from webapp.domain.exceptions import ValidationError


def wrong_fields(error: pydantic.ValidationError) -> ValidationError:
    """The error that names every field that is wrong, missing or not known."""
    fields: dict[str, str] = {}
    for found in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in found["loc"]) or "body"
        is_unknown = found["type"] == "extra_forbidden"
        message = "there is no such field" if is_unknown else found["msg"].removeprefix("Value error, ")
        fields.setdefault(name, message[:1].lower() + message[1:])
    return ValidationError("; ".join(f"{name}: {message}" for name, message in fields.items()), fields=fields)
