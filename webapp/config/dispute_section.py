"""The section of the settings about disputes."""

from pydantic import Field

from webapp.config.sections import FlopAmountOrZero, Section
from webapp.domain.money import ZERO


class DisputeSettings(Section):
    """How long each rung of a dispute may take, and what it costs to open one that comes to nothing."""

    answer_hours: int = Field(72, ge=1, le=8760)
    mediation_hours: int = Field(72, ge=1, le=8760)
    ruling_hours: int = Field(120, ge=1, le=8760)
    appeal_hours: int = Field(72, ge=1, le=8760)
    panel_hours: int = Field(120, ge=1, le=8760)
    reassignments: int = Field(2, ge=0, le=10)
    bond: FlopAmountOrZero = ZERO
