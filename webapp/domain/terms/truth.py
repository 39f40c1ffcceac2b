"""Whether a condition holds, in any number of situations at once: one bit for each.

The proof asks about thousands of situations in one integer, the outcome about a single one. Both ask here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import and_, or_

from webapp.domain.terms.language import AllOf, AnyOf, AtLeast, Condition, Leaf, Not

Values = Callable[[Leaf], int]


def truth(condition: Condition, values: Values, everything: int = 1) -> int:
    """The bits of the situations in which it holds. `values` gives those of a leaf; `everything` has all bits set."""
    match condition:
        case AllOf(of):
            return reduce(and_, (truth(each, values, everything) for each in of), everything)
        case AnyOf(of):
            return reduce(or_, (truth(each, values, everything) for each in of), 0)
        case AtLeast(count, of):
            return _at_least(count, (truth(each, values, everything) for each in of), everything)
        case Not(inner):
            return everything & ~truth(inner, values, everything)
        case _:
            return values(condition)


def _at_least(count: int, parts: Iterable[int], everything: int) -> int:
    """`so_many[n]` has the bits in which n or more of the parts so far hold."""
    so_many = [everything] + [0] * count
    for part in parts:
        for n in range(count, 0, -1):
            so_many[n] |= so_many[n - 1] & part
    return so_many[count]
