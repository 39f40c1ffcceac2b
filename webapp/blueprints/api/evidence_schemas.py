"""What the endpoints of evidence take and tell."""

from __future__ import annotations

import base64
import binascii
from typing import Literal

from pydantic import Field

from webapp.blueprints.api.fields import HASH, MomentOut
from webapp.blueprints.api.schemas import Answer, EscrowPath, RequestPart
from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said
from webapp.services.evidence.book import SubmittedFile


class NewFile(RequestPart):
    """A file in base64. Its type is found by its content; a type that is stated elsewhere is not asked."""

    name: str = Field("", max_length=255, examples=["photo.jpg"], description="A proposal: it is cleaned")
    content: str = Field(description="The bytes in base64, at most `evidence.max_file_bytes` of them")

    def submitted(self, max_bytes: int) -> SubmittedFile:
        """The bytes. Raises ValidationError naming `file`."""
        if len(self.content) > 4 * (max_bytes // 3 + 1):
            raise ValidationError.of("file", said("must have at most {most} bytes", most=max_bytes))
        try:
            return SubmittedFile(self.name, base64.b64decode(self.content, validate=True))
        except (binascii.Error, ValueError):
            raise ValidationError.of("file", said("must have its content in base64")) from None


class NewEvidence(RequestPart):
    """A text, a file, or both."""

    text: str = Field("", examples=["The picture is 640 pixels wide, not 1024."])
    file: NewFile | None = None


class EvidencePath(EscrowPath):
    """One item of the evidence on an escrow."""

    number: int = Field(ge=1, le=100_000)


class EvidenceFile(Answer):
    """A file as it was found to be. `name` is the one that it is given out under."""

    name: str = Field(examples=["photo.jpg"])
    media_type: str = Field(examples=["image/jpeg"])
    size: int
    sha256: str = Field(examples=[HASH])


class EvidenceDocument(Answer):
    """One item. `hash` covers the rest with the hash of the item before it, and stands on the audit trail."""

    number: int
    side: Literal["payer", "provider"]
    text: str
    file: EvidenceFile | None
    created_at: MomentOut
    previous_hash: str = Field(examples=[HASH])
    hash: str = Field(examples=[HASH])


class EvidenceList(Answer):
    """All items of an escrow, oldest first. Each side may add a limited number, so the list is whole."""

    items: list[EvidenceDocument]
    is_open: bool = Field(description="Whether more may be added now")
