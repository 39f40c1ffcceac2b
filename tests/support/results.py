"""Results to hand in: real pictures, and some that were made to do harm."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def picture(
    form: str = "PNG", size: tuple[int, int] = (64, 32), mode: str = "RGB", **options: object
) -> bytes:
    """A picture as an encoder writes it."""
    written = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert(mode).save(written, form, **options)
    return written.getvalue()


def bomb(side: int) -> bytes:
    """A sound PNG of `side` by `side` white points in a few kilobytes."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    row = b"\0" + b"\xff" * ((side + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    )


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: a few bytes for each pass over all of its points."""
    data = picture("JPEG", (128, 128), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"
