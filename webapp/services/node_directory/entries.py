"""What a DuxNet registry says of its nodes, read strictly.

    {"node_id": "node-7", "status": "active", "reputation": 870, "wallet_address": "F..."}

- `node_id`: 1 to 64 letters, digits, dots, dashes, underscores or colons.
- `status`: `active`, `late`, `offline` or `suspended`, in either case. A node that is late is still active.
- `reputation`: a JSON number without a decimal point is taken as it is and must be 0 to 1000. One with a decimal point
  or an exponent is a share of one, 0.0 to 1.0, and counts as so many thousandths, rounded down. It may be null or
  missing; nothing is guessed from the size of a number.
- `wallet_address`: letters and digits, 64 at most; null, empty or missing when there is none.

Other fields are passed over. An entry that cannot be read, or that contradicts another one of the same node, makes that
node unknown, and the log says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from webapp.domain.reputation import HIGHEST
from webapp.domain.said import said
from webapp.services.node_directory.port import DirectoryNode, NodeStatus

log = structlog.get_logger(__name__)

# So many unreadable entries are named in the log, one by one; the rest are counted.
NAMED = 10

_STATUSES: dict[str, NodeStatus] = {
    "active": "active",
    "late": "active",
    "offline": "offline",
    "suspended": "suspended",
}


def _status(value: Any) -> Any:
    return _STATUSES.get(value.lower(), value) if isinstance(value, str) else value


def _thousandths(value: Any) -> Any:
    if isinstance(value, Decimal):
        if not 0 <= value <= 1:
            raise ValueError(said("with a decimal point it must be from 0 to 1"))
        with localcontext(rounding=ROUND_DOWN):
            return int(value * HIGHEST)
    return value


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    node_id: str = Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\z")
    status: Annotated[NodeStatus, BeforeValidator(_status)]
    reputation: Annotated[Annotated[int, Field(ge=0, le=HIGHEST)] | None, BeforeValidator(_thousandths)] = (
        None
    )
    wallet_address: str | None = Field(None, pattern=r"\A[A-Za-z0-9]{0,64}\z")


def read_entries(entries: Iterable[Any]) -> tuple[DirectoryNode, ...]:
    """The nodes of a list, each once, in the order of their ids."""
    found: dict[str, DirectoryNode] = {}
    problems: list[str] = []
    contradicted = set()
    for entry in entries:
        node, problem = _read(entry)
        if node is None:
            problems.append(problem)
        elif found.setdefault(node.node_id, node) != node:
            contradicted.add(node.node_id)
    problems += [f"{node_id}: said twice, and not the same" for node_id in sorted(contradicted)]
    _tell(problems)
    return tuple(found[node_id] for node_id in sorted(found.keys() - contradicted))


def read_entry(entry: Any, node_id: str) -> DirectoryNode | None:
    """The node of an answer about one; None if it cannot be read, or is another one."""
    node, problem = _read(entry)
    if node and node.node_id != node_id:
        node, problem = None, f"{node_id}: the answer was about another node"
    _tell([problem] if problem else [])
    return node


def _read(entry: Any) -> tuple[DirectoryNode | None, str]:
    try:
        read = _Entry.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        named = str(entry.get("node_id"))[:64] if isinstance(entry, dict) else "an entry"
        where = ".".join(map(str, first["loc"][:1])) or "it"
        return None, f"{named}: {where}: {first['msg']}"
    return DirectoryNode(read.node_id, read.status, read.reputation, read.wallet_address or None), ""


def _tell(problems: list[str]) -> None:
    for problem in problems[:NAMED]:
        log.warning("directory_entry_unreadable", reason=problem)
    if len(problems) > NAMED:
        log.warning("directory_entries_unreadable", count=len(problems))
