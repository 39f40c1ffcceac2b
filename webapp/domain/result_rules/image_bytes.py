"""Where a PNG or JPEG ends, read from its own structure without decoding anything.

What stands behind the end is no part of the picture: a file that is a picture to one reader and an archive or a
program to another (a polyglot) hides there.
"""

from __future__ import annotations

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

# Each scan of a progressive JPEG is a pass over all of its pixels and may take a few bytes. Encoders make about ten.
MAX_JPEG_SCANS = 32
_SCAN, _END = 0xDA, 0xD9


def end_of_png(data: bytes) -> int:
    """Where the bytes of the PNG end. Raises ValueError when they stop before that."""
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        at += 12 + length
        if name == b"IEND" and at <= len(data):
            return at
    raise ValueError("is cut off")


def end_of_jpeg(data: bytes) -> int:
    """Where the bytes of the JPEG end. Raises ValueError when they stop before that, or have too many scans."""
    at, scans = 2, 0
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError("is not a sound JPEG")
        marker = data[at + 1]
        if marker == 0xFF:  # a byte of padding
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            scans += 1
            if scans > MAX_JPEG_SCANS:
                raise ValueError(f"has more than {MAX_JPEG_SCANS} scans")
            at = _end_of_scan(data, at)
            if data[at + 1 : at + 2] == bytes([_END]):
                return at + 2
    raise ValueError("is cut off")


def _end_of_scan(data: bytes, at: int) -> int:
    """The next marker behind compressed data: in it, FF is followed by 00, or by a restart marker (D0 to D7)."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise ValueError("is cut off")
        following = data[at + 1]
        if following not in (0x00, 0xFF) and not 0xD0 <= following <= 0xD7:
            return at
        at += 1 if following == 0xFF else 2
