"""The section about evidence: what the sides of a dispute may add, and where it lies."""

from pydantic import Field, field_validator

from webapp.config.sections import Section


class EvidenceSettings(Section):
    """What each side of a dispute may add, and where its files lie. An empty folder is `evidence` in the instance's."""

    folder: str = ""
    max_file_bytes: int = Field(5_242_880, ge=1024, le=16_777_216)
    max_files_per_side: int = Field(10, ge=0, le=100)
    max_items_per_side: int = Field(50, ge=1, le=500)
    max_text_characters: int = Field(4000, ge=100, le=20_000)

    @field_validator("folder")
    @classmethod
    def _is_absolute(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError("must be empty, or a path from the root (/)")
        return value
