"""What one escrow asks of its result besides the rules of its service: the words of its metadata that say so.

For an image these are `image_size` ("1024x1024"), `image_format` ("PNG") and `image_mode` ("RGB"); for a text
`text_language` ("es").
"""

from __future__ import annotations

import re
from typing import Any

from webapp.domain.exceptions import ValidationError
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.limits import read_limits
from webapp.domain.said import said

_SIZE = re.compile(r"([1-9][0-9]{0,4})\s?[x×]\s?([1-9][0-9]{0,4})")
_WORDS = {"image_format": "formats", "image_mode": "modes"}


def ordered_limits(
    kind: Kind, limits: dict[str, Any], metadata: dict[str, Any], max_bytes: int
) -> dict[str, Any]:
    """The service's limits with those of the order. Raises ValidationError naming `metadata`, when what is asked for
    cannot be read or is not what the service offers: it could never be delivered.
    """
    asked: dict[str, Any] = {}
    if kind is Kind.TEXT and "text_language" in metadata:
        asked["language"] = metadata["text_language"]
    if kind is Kind.IMAGE:
        asked = _of_image(metadata)
    if not asked:
        return limits
    try:
        read = read_limits(kind, limits | asked, max_bytes)
    except ValidationError as error:
        raise ValidationError.of(
            "metadata", said("asks for what cannot be: {reason}", reason=_of_limits(error))
        ) from None
    for limit, values in asked.items():
        offered = limits.get(limit, values)
        if values != offered and not (isinstance(values, list) and values[0] in offered):
            raise ValidationError.of(
                "metadata", said("asks for {limit} that the service does not offer", limit=limit)
            )
    return read


def _of_image(metadata: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if "image_size" in metadata:
        found = _SIZE.fullmatch(metadata["image_size"]) if isinstance(metadata["image_size"], str) else None
        if found is None:
            raise ValidationError.of("metadata", said("image_size must be like 1024x1024"))
        asked |= {"width": int(found[1]), "height": int(found[2])}
    for word, limit in _WORDS.items():
        if word in metadata:
            value = metadata[word]
            asked[limit] = [value.upper() if word == "image_format" and isinstance(value, str) else value]
    return asked


def _of_limits(error: ValidationError) -> str:
    return "; ".join(f"{name.removeprefix('limits.')} {message}" for name, message in error.fields.items())
