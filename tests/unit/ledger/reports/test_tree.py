from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger.model import AccountType, Side
from myapp.ledger.reports import Figure, Node, Shape, Sides, tree

ASSET, LIABILITY, INCOME = AccountType.ASSET, AccountType.LIABILITY, AccountType.INCOME

names = st.sampled_from(["a", "b", "a b", "ä"])
paths = st.lists(names, min_size=1, max_size=4).map(":".join)
nets = st.dictionaries(st.sampled_from(["EUR", "USD"]), st.integers(-3, 3) | st.integers(-(10**30), 10**30))
figures = st.lists(
    st.builds(Figure, path=paths, type=st.sampled_from(AccountType), nets=nets),
    unique_by=lambda figure: figure.path,
    max_size=12,
)
shapes = st.builds(Shape, depth=st.none() | st.integers(1, 5), zero=st.booleans())


def figure(path: str, of: AccountType = ASSET, **nets: int) -> Figure:
    return Figure(path=path, type=of, nets=nets)


def walk(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from walk(node.children)


def totals(node: Node) -> dict[str, tuple[int, int]]:
    return {code: (sides.debit, sides.credit) for code, sides in node.total.items()}


class TestGrow:
    def test_nests_by_path_with_what_is_own_and_the_total(self) -> None:
        (assets,) = tree.grow([figure("assets:bank", USD=5), figure("assets", USD=7, EUR=-1)], Shape())

        assert (assets.path, assets.name, assets.own["USD"].debit, totals(assets)) == (
            "assets", "assets", 7, {"EUR": (0, 1), "USD": (12, 0)},
        )  # fmt: skip
        assert [(node.path, node.name, totals(node)) for node in assets.children] == [
            ("assets:bank", "bank", {"USD": (5, 0)})
        ]

    def test_keeps_debits_and_credits_apart(self) -> None:
        (shop,) = tree.grow([figure("shop:cash", USD=5), figure("shop:sales", INCOME, USD=-5)], Shape())

        assert totals(shop) == {"USD": (5, 5)}
        assert shop.total["USD"].towards(Side.DEBIT) == 0

    def test_tells_an_account_from_what_is_only_the_beginning_of_paths(self) -> None:
        found = tree.grow([figure("a:b:c", USD=1), figure("a:b", LIABILITY)], Shape())

        assert [(node.path, node.type) for node in walk(found)] == [("a", None), ("a:b", LIABILITY), ("a:b:c", ASSET)]

    def test_leaves_out_accounts_of_zero_unless_asked_for_them(self) -> None:
        given = [figure("a", USD=0), figure("b"), figure("c", USD=0, EUR=1)]

        assert [(node.path, totals(node)) for node in tree.grow(given, Shape())] == [("c", {"EUR": (1, 0)})]
        assert [(node.path, totals(node)) for node in tree.grow(given, Shape(zero=True))] == [
            ("a", {"USD": (0, 0)}),
            ("b", {}),
            ("c", {"EUR": (1, 0), "USD": (0, 0)}),
        ]

    def test_counts_what_is_deeper_in_the_last_level(self) -> None:
        (a,) = tree.grow([figure("a", USD=1), figure("a:b", USD=2), figure("a:b:c", USD=4)], Shape(depth=2))

        assert [(node.path, node.own["USD"].debit, node.children) for node in a.children] == [("a:b", 6, [])]
        assert totals(a) == {"USD": (7, 0)}

    def test_orders_by_name_and_not_by_the_text_of_the_path(self) -> None:
        found = tree.grow([figure("a:z", USD=1), figure("a b", USD=1), figure("a", USD=1)], Shape())

        assert [node.path for node in walk(found)] == ["a", "a:z", "a b"]

    @given(figures, shapes)
    def test_total_is_own_and_the_totals_of_the_children(self, given: list[Figure], shape: Shape) -> None:
        for node in walk(tree.grow(given, shape)):
            assert node.total == tree.add_up([node.own, *(child.total for child in node.children)])

    @given(figures, shapes)
    def test_shows_each_amount_once(self, given: list[Figure], shape: Shape) -> None:
        found = tree.grow(given, shape)

        expected: dict[str, Sides] = {}
        for each in given:
            for code, net in each.nets.items():
                if net or shape.zero:
                    expected[code] = expected.get(code, Sides()) + Sides.of(net)
        assert tree.add_up(node.total for node in found) == dict(sorted(expected.items()))
        assert tree.add_up(node.own for node in walk(found)) == dict(sorted(expected.items()))

    @given(figures, shapes)
    def test_shows_no_more_levels_than_asked_for_and_each_path_once(self, given: list[Figure], shape: Shape) -> None:
        shown = [node.path for node in walk(tree.grow(given, shape))]

        assert len(set(shown)) == len(shown)
        assert all(path.count(":") < (shape.depth or 99) for path in shown)
