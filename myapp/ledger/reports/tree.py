"""Arrange figures by path: every node has its own amounts, and the total with all below it. Pure.

A path may be an account, the beginning of others, or both; the accounts below it may be of other types than it is.
Units: amounts are in the currency's smallest unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from myapp.ledger.model import AccountType, Side
from myapp.ledger.reports.figures import Figure

SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class Sides:
    """What stands in the two columns: the sum of the balances that are debits, and of those that are credits."""

    debit: int = 0
    credit: int = 0

    @classmethod
    def of(cls, *nets: int) -> Sides:
        """Return balances, each debits less credits, in their columns."""
        return cls(sum(net for net in nets if net > 0), sum(-net for net in nets if net < 0))

    def __add__(self, other: Sides) -> Sides:
        return Sides(self.debit + other.debit, self.credit + other.credit)

    def towards(self, side: Side) -> int:
        """Return the balance in the direction of a side."""
        net = self.debit - self.credit
        return net if side is Side.DEBIT else -net


Amounts = Mapping[str, Sides]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A path with its own amounts and the total with all below it, by currency; `type` is None where no account is."""

    path: str
    type: AccountType | None
    own: Amounts
    total: Amounts
    children: Sequence[Node]

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition(SEPARATOR)[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a report is cut: to so many levels, with accounts of zero or without."""

    # What is deeper counts as its own of the last level; None shows every level.
    depth: int | None = None
    zero: bool = False


def grow(figures: Sequence[Figure], shape: Shape) -> Sequence[Node]:
    """Return the nodes of the first level in the order of their names.

    The total of a node is its own and the totals of its children, so what is shown never adds up to anything else.
    """
    root = _Bud()
    for figure in figures:
        nets = {code: net for code, net in figure.nets.items() if net or shape.zero}
        if nets or shape.zero:
            root.at(figure.path.split(SEPARATOR)[: shape.depth]).add(nets)
    return root.open(types={figure.path: figure.type for figure in figures})


def add_up(amounts: Iterable[Amounts]) -> dict[str, Sides]:
    """Return the sums by currency, in the order of their codes."""
    sums: dict[str, Sides] = {}
    for each in amounts:
        for code, sides in each.items():
            sums[code] = sums.get(code, Sides()) + sides
    return dict(sorted(sums.items()))


@dataclass(frozen=True, slots=True)
class _Bud:
    """A node that still gathers what is its own: the balances in each currency."""

    balances: dict[str, list[int]] = field(default_factory=dict)
    children: dict[str, _Bud] = field(default_factory=dict)

    def at(self, names: Iterable[str]) -> _Bud:
        """Return the bud that the names lead to."""
        bud = self
        for name in names:
            below = bud.children.get(name)
            if below is None:
                below = bud.children[name] = _Bud()
            bud = below
        return bud

    def add(self, nets: Mapping[str, int]) -> None:
        """Gather what one account has."""
        for code, net in nets.items():
            self.balances.setdefault(code, []).append(net)

    def open(self, prefix: str = "", *, types: Mapping[str, AccountType]) -> Sequence[Node]:
        """Return the children as nodes."""
        nodes = []
        for name, bud in sorted(self.children.items()):
            path = prefix + name
            own = {code: Sides.of(*nets) for code, nets in sorted(bud.balances.items())}
            children = bud.open(path + SEPARATOR, types=types)
            total = add_up([own, *(child.total for child in children)])
            nodes.append(Node(path=path, type=types.get(path), own=own, total=total, children=children))
        return nodes
