"""Pictures: decoded for real, with every limit checked before a pixel is.

The two plugins of Pillow are used by name: nothing is guessed, and no other format is ever tried or loaded. A header
that promises too many pixels is refused while only the header is read, so a decompression bomb costs nothing.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PIL import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from webapp.domain.result_rules.findings import Finding, failed, met, within
from webapp.domain.result_rules.image_bytes import JPEG_SIGNATURE, PNG_SIGNATURE, end_of_jpeg, end_of_png

MAX_PIXELS = 16_777_216
"""4096 by 4096: 64 MiB when decoded."""
MAX_SIDE = 16_384
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")

# What Pillow raises for bytes that are not what their header says.
_UNSOUND = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, AttributeError,
    struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    signature: bytes
    end_of: Callable[[bytes], int]
    open: Callable[[io.BytesIO], ImageFile.ImageFile]


_FORMATS = (
    _Format("PNG", PNG_SIGNATURE, end_of_png, PngImageFile),
    _Format("JPEG", JPEG_SIGNATURE, end_of_jpeg, JpegImageFile),
)
FORMATS = tuple(each.name for each in _FORMATS)


def check_image(data: bytes, limits: dict[str, Any]) -> list[Finding]:
    """What the rules find: `image` (it can be decoded), then `format`, `width`, `height` and `mode`."""
    found = next((each for each in _FORMATS if data.startswith(each.signature)), None)
    if found is None:
        return [failed("image", f"must be a picture ({' or '.join(FORMATS)}), and begins like none")]
    try:
        picture = _decoded(data, found, limits.get("max_pixels", MAX_PIXELS))
    except _UnsoundError as error:
        return [failed("image", str(error))]
    return [met("image", "can be decoded, to its end"), *_properties(found.name, picture, limits)]


class _UnsoundError(Exception):
    """The bytes are no picture that may be looked at; the text completes "the result ..."."""


@dataclass(frozen=True, slots=True)
class _Picture:
    width: int
    height: int
    mode: str


def _decoded(data: bytes, form: _Format, max_pixels: int) -> _Picture:
    try:
        _require_nothing_behind(data, form)
        opened = form.open(io.BytesIO(data))
        _require_size(opened, max_pixels)
        opened.verify()
        opened = form.open(io.BytesIO(data))  # what was verified cannot be loaded any more
        opened.load()
    except _UNSOUND:
        raise _UnsoundError(f"must be a sound {form.name}, and cannot be decoded") from None
    return _Picture(*opened.size, opened.mode)


def _require_nothing_behind(data: bytes, form: _Format) -> None:
    try:
        behind = len(data) - form.end_of(data)
    except ValueError as error:
        raise _UnsoundError(f"must be a sound {form.name}, and {error}") from None
    if behind:
        raise _UnsoundError(f"must end where the picture ends, and has {behind} bytes behind it")


def _require_size(opened: ImageFile.ImageFile, max_pixels: int) -> None:
    width, height = opened.size
    if width > MAX_SIDE or height > MAX_SIDE:
        raise _UnsoundError(f"must have sides of at most {MAX_SIDE} pixels, and has {width} × {height}")
    if width * height > min(max_pixels, MAX_PIXELS):
        most = min(max_pixels, MAX_PIXELS)
        raise _UnsoundError(f"must have at most {most} pixels, and has {width} × {height}")
    if getattr(opened, "is_animated", False):
        raise _UnsoundError("must be one picture, and has several frames")


def _properties(name: str, picture: _Picture, limits: dict[str, Any]) -> Iterator[Finding]:
    yield _one_of("format", name, limits.get("formats"))
    for rule, count, unit in (
        ("width", picture.width, "pixels across"),
        ("height", picture.height, "pixels down"),
    ):
        yield within(
            rule,
            count,
            unit,
            exactly=limits.get(rule),
            least=limits.get(f"min_{rule}"),
            most=limits.get(f"max_{rule}"),
        )
    yield _one_of("mode", picture.mode, limits.get("modes"))


def _one_of(rule: str, value: str, allowed: list[str] | None) -> Finding:
    if allowed is not None and value not in allowed:
        return failed(rule, f"must have the {rule} {' or '.join(allowed)}, and has {value}")
    return met(rule, f"has the {rule} {value}")
