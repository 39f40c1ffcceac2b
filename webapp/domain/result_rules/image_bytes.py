"""Where a PNG, JPEG or WebP ends, read from its own structure without decoding anything.

What stands behind the end is no part of the picture: a file that is a picture to one reader and an archive or a
program to another (a polyglot) hides there.
"""

from __future__ import annotations

from webapp.domain.said import said

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
RIFF_SIGNATURE = b"RIFF"

# Each scan of a progressive JPEG is a pass over all of its pixels and may take a few bytes. Encoders make about ten.
MAX_JPEG_SCANS = 32
# Libraries go through the parts of a picture one by one, and there may be one in four bytes, or even in one. A picture
# of sixteen megabytes has as many parts as this at most if each holds 256 bytes.
MAX_PARTS = 65_536
_SCAN, _END = 0xDA, 0xD9


def end_of_png(data: bytes) -> int:
    """Where the bytes of the PNG end. Raises ValueError when they stop before that, or for too many parts."""
    at, parts = len(PNG_SIGNATURE), 0
    while at + 12 <= len(data):
        parts = _one_more(parts)
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        at += 12 + length
        if name == b"IEND" and at <= len(data):
            return at
    raise ValueError(said("is cut off"))


def end_of_jpeg(data: bytes) -> int:
    """Where the bytes of the JPEG end. Raises ValueError when they stop before that, or for too many parts or scans."""
    at, scans, parts = 2, 0, 0
    while at + 4 <= len(data):
        parts = _one_more(parts)
        if data[at] != 0xFF:
            raise ValueError(said("is not a sound JPEG"))
        marker = data[at + 1]
        if marker == 0xFF:  # a byte of padding
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            scans += 1
            if scans > MAX_JPEG_SCANS:
                raise ValueError(said("has more than {most} scans", most=MAX_JPEG_SCANS))
            at = _end_of_scan(data, at)
            if data[at + 1 : at + 2] == bytes([_END]):
                return at + 2
    raise ValueError(said("is cut off"))


def _one_more(parts: int) -> int:
    """How many it is with this one. Raises ValueError when that is too many."""
    if parts == MAX_PARTS:
        raise ValueError(said("has more than {most} parts", most=MAX_PARTS))
    return parts + 1


def _end_of_scan(data: bytes, at: int) -> int:
    """The next marker behind compressed data: in it, FF is followed by 00, or by a restart marker (D0 to D7)."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise ValueError(said("is cut off"))
        following = data[at + 1]
        if following not in (0x00, 0xFF) and not 0xD0 <= following <= 0xD7:
            return at
        at += 1 if following == 0xFF else 2


def end_of_webp(data: bytes) -> int:
    """Where the bytes of the WebP end. Raises ValueError when they stop before that, or it is another RIFF."""
    if data[8:12] != b"WEBP":
        raise ValueError(said("is not a sound WebP"))
    end = 8 + int.from_bytes(data[4:8], "little")
    at = 12
    while at + 8 <= min(end, len(data)):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    if at != end or end > len(data):
        raise ValueError(said("is cut off"))
    return end


def size_of_webp(data: bytes) -> tuple[int, int]:
    """Width and height as its first chunk says. Raises ValueError for a chunk that no WebP begins with."""
    name, body = data[12:16], data[20:30]
    if len(body) == 10 and name == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if len(body) == 10 and name == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if len(body) >= 5 and name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise ValueError(said("is not a sound WebP"))
