"""Pictures: decoded for real, with every limit checked before a pixel is.

The plugins of Pillow are used by name: nothing is guessed, and no other format is ever tried or loaded. A header
that promises too many pixels is refused while only the header is read, so a decompression bomb costs nothing.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from webapp.domain.result_rules.image_bytes import (
    JPEG_SIGNATURE,
    PNG_SIGNATURE,
    RIFF_SIGNATURE,
    end_of_jpeg,
    end_of_png,
    end_of_webp,
    size_of_webp,
)
from webapp.domain.said import said

MAX_PIXELS = 16_777_216
"""4096 by 4096: 64 MiB when decoded."""
MAX_SIDE = 16_384

# What Pillow raises for bytes that are not what their header says.
_UNSOUND = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, AttributeError,
    struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """A format of pictures. `size_of` reads the size where Pillow takes its memory before anybody could ask it."""

    name: str
    signature: bytes
    end_of: Callable[[bytes], int]
    open: Callable[[io.BytesIO], ImageFile.ImageFile]
    size_of: Callable[[bytes], tuple[int, int]] | None = None


PNG = Form("PNG", PNG_SIGNATURE, end_of_png, PngImageFile)
JPEG = Form("JPEG", JPEG_SIGNATURE, end_of_jpeg, JpegImageFile)
WEBP = Form("WebP", RIFF_SIGNATURE, end_of_webp, WebPImageFile, size_of_webp)


def form_of(data: bytes) -> Form | None:
    """The format that the bytes begin like, if any."""
    return next((each for each in (PNG, JPEG, WEBP) if data.startswith(each.signature)), None)


class UnsoundPictureError(Exception):
    """The bytes are no picture that may be looked at; the text completes "the result ..."."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture is, once every pixel of it was decoded."""

    width: int
    height: int
    mode: str


def decode(data: bytes, form: Form, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture in `data`, which begins like one of this form. Raises UnsoundPictureError."""
    try:
        _require_nothing_behind(data, form)
        if form.size_of is not None:
            _require_size(*form.size_of(data), max_pixels)
        opened = form.open(io.BytesIO(data))
        _require_size(*opened.size, max_pixels)
        if getattr(opened, "is_animated", False):
            raise UnsoundPictureError(said("must be one picture, and has several frames"))
        opened.verify()
        opened = form.open(io.BytesIO(data))  # what was verified cannot be loaded any more
        opened.load()
    except _UNSOUND:
        raise UnsoundPictureError(
            said("must be a sound {form}, and cannot be decoded", form=form.name)
        ) from None
    return Picture(*opened.size, opened.mode)


def _require_nothing_behind(data: bytes, form: Form) -> None:
    try:
        behind = len(data) - form.end_of(data)
    except ValueError as error:
        raise UnsoundPictureError(
            said("must be a sound {form}, and {reason}", form=form.name, reason=error.args[0])
        ) from None
    if behind:
        raise UnsoundPictureError(
            said("must end where the picture ends, and has {count} bytes behind it", count=behind)
        )


def _require_size(width: int, height: int, max_pixels: int) -> None:
    found = {"width": width, "height": height}
    if width > MAX_SIDE or height > MAX_SIDE:
        raise UnsoundPictureError(
            said(
                "must have sides of at most {most} pixels, and has {width} × {height}", most=MAX_SIDE, **found
            )
        )
    most = min(max_pixels, MAX_PIXELS)
    if width * height > most:
        raise UnsoundPictureError(
            said("must have at most {most} pixels, and has {width} × {height}", most=most, **found)
        )
