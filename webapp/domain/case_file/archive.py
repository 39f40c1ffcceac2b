"""Reading the ZIP of a case file that somebody may have forged: exactly the form that `package` writes, nothing else.

Since nothing in a case file is compressed, a member that is compressed is refused before a byte of it is unpacked, and
no member is larger than the file. Nothing is ever written to a disk, so a name leads nowhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from webapp.domain.solvency.reading import RefusedError

LARGEST_FILE = 2**31
MOST_MEMBERS = 2000
_NAME = re.compile(rb"case\.json|README\.txt|manifest\.json|evidence/[0-9]{4}\.[a-z]{1,4}")
_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_PIECE = 1 << 20
_NOT_OURS = "this is not a case file, or it was packed again"


@dataclass(frozen=True, slots=True)
class Member:
    """Where the bytes of one file lie."""

    name: str
    offset: int
    size: int


class Archive:
    """The members of a case file, in their order. Raises RefusedError when it is no ZIP of that one form."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.members = {member.name: member for member in self._walk(self._directory())}

    def read(self, name: str, most: int) -> bytes:
        """The bytes of a member. Raises RefusedError when it is missing or larger than `most`."""
        member = self.members.get(name)
        if member is None:
            raise RefusedError(f"{name} is missing")
        if member.size > most:
            raise RefusedError(f"{name} is larger than any genuine one")
        self._stream.seek(member.offset)
        return self._stream.read(member.size)

    def sha256(self, name: str) -> str:
        """The hash of a member that is there, read piece by piece."""
        member, digest = self.members[name], hashlib.sha256()
        self._stream.seek(member.offset)
        left = member.size
        while left:
            piece = self._stream.read(min(left, _PIECE))
            digest.update(piece)
            left -= len(piece)
        return digest.hexdigest()

    def _directory(self) -> tuple[bytes, int, int]:
        """The list of members at the end, their number, and where it begins."""
        size = self._stream.seek(0, os.SEEK_END)
        if not _END.size <= size <= LARGEST_FILE:
            raise RefusedError("its size is not that of a case file")
        self._stream.seek(size - _END.size)
        mark, disk, start, here, count, length, offset, comment = _END.unpack(self._stream.read(_END.size))
        if mark != b"PK\x05\x06" or (disk, start, comment) != (0, 0, 0) or here != count:
            raise RefusedError(_NOT_OURS)
        if count > MOST_MEMBERS or offset + length + _END.size != size or length > 200 * count:
            raise RefusedError(_NOT_OURS)
        self._stream.seek(offset)
        return self._stream.read(length), count, offset

    def _walk(self, directory: tuple[bytes, int, int]) -> Iterator[Member]:
        listed, count, end = directory
        at, expected = 0, 0
        seen: set[bytes] = set()
        for _ in range(count):
            if at + _CENTRAL.size > len(listed):
                raise RefusedError(_NOT_OURS)
            (
                mark,
                _by,
                needs,
                flags,
                method,
                *_when,
                crc,
                packed,
                size,
                length,
                extra,
                note,
                disk,
                _kind,
                _mode,
                begin,
            ) = _CENTRAL.unpack_from(listed, at)
            name = listed[at + _CENTRAL.size : at + _CENTRAL.size + length]
            at += _CENTRAL.size + length
            shown = ascii(name.decode("latin-1"))
            if mark != b"PK\x01\x02" or (extra, note, disk) != (0, 0, 0):
                raise RefusedError(_NOT_OURS)
            if not _NAME.fullmatch(name):
                raise RefusedError(f"a file with the name {shown} has no place in a case file")
            if name in seen:
                raise RefusedError(f"the name {shown} stands twice")
            seen.add(name)
            if flags or method or packed != size:
                raise RefusedError(f"{shown} is compressed or encrypted, which nothing in a case file is")
            local = self._local(begin)
            if begin != expected or local != (b"PK\x03\x04", needs, 0, 0, crc, size, size, length, 0, name):
                raise RefusedError(f"{shown} does not lie where it should")
            start = begin + _LOCAL.size + length
            expected = start + size
            yield Member(name.decode("ascii"), start, size)
        if at != len(listed) or expected != end:
            raise RefusedError("something is hidden between its files")

    def _local(self, begin: int) -> tuple[object, ...]:
        """What stands before the bytes of a member, without its time."""
        self._stream.seek(begin)
        head = self._stream.read(_LOCAL.size)
        if len(head) < _LOCAL.size:
            raise RefusedError(_NOT_OURS)
        mark, needs, flags, method, _time, _date, *rest, length, extra = _LOCAL.unpack(head)
        name = self._stream.read(min(length, 100))
        return (mark, needs, flags, method, *rest, length, extra, name)
