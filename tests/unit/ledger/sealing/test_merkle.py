"""The tree proves each of its leaves and nothing else; the verifier's own code judges, which shares none with ours."""

from __future__ import annotations

import hashlib
from pathlib import Path
from runpy import run_path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myapp.ledger.sealing import merkle

VERIFIER = run_path(str(Path(__file__).parents[4] / "docs" / "verify_proof.py"))
root_of, Invalid = VERIFIER["root_of"], VERIFIER["Invalid"]

SIZES = range(1, 71)
LEAVES = [merkle.leaf_hash(f"leaf {number}") for number in range(max(SIZES))]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 6962 defines it: split at the largest power of two below the size."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_by_definition(leaves[:split]) + root_by_definition(leaves[split:])).digest()


def leads_to_root(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    try:
        return root_of(leaf, index, size, path) == root
    except Invalid:
        return False


class TestRoot:
    @pytest.mark.parametrize("size", SIZES)
    def test_is_the_one_that_rfc_6962_defines(self, size: int) -> None:
        assert merkle.root(LEAVES[:size]) == root_by_definition(LEAVES[:size])

    def test_is_that_of_the_published_example(self) -> None:
        """The eight inputs of the Certificate Transparency project's own test data, and the root it gives for them."""
        inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]

        root = merkle.root([merkle.leaf_hash(bytes.fromhex(each).decode("ascii")) for each in inputs])

        assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"

    def test_of_a_leaf_differs_from_that_of_a_node_with_the_same_bytes(self) -> None:
        two = merkle.root(LEAVES[:2])
        forged = hashlib.sha256(merkle.LEAF + LEAVES[0] + LEAVES[1]).digest()

        assert merkle.root([forged]) != two

    @given(st.data())
    def test_changes_with_any_leaf(self, data: st.DataObject) -> None:
        size = data.draw(st.sampled_from(SIZES))
        index = data.draw(st.integers(0, size - 1))
        changed = [*LEAVES[:size]]
        changed[index] = merkle.leaf_hash("another")

        assert merkle.root(changed) != merkle.root(LEAVES[:size])


class TestPath:
    @pytest.mark.parametrize("size", SIZES)
    def test_leads_from_every_leaf_to_the_root(self, size: int) -> None:
        leaves = LEAVES[:size]

        for index in range(size):
            path = merkle.path(leaves, index)
            assert root_of(leaves[index], index, size, path) == merkle.root(leaves)
            assert len(path) <= (size - 1).bit_length()

    @given(st.data())
    def test_proves_nothing_else(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(2, 70))
        index = data.draw(st.integers(0, size - 1))
        leaves = LEAVES[:size]
        path, root = list(merkle.path(leaves, index)), merkle.root(leaves)
        other = data.draw(st.integers(0, size - 1).filter(lambda each: each != index))
        place = data.draw(st.integers(0, len(path) - 1))
        flipped = bytes([path[place][0] ^ 1]) + path[place][1:]

        assert leads_to_root(leaves[index], index, size, path, root)
        assert not leads_to_root(leaves[other], index, size, path, root)
        assert not leads_to_root(leaves[index], other, size, path, root)
        assert not leads_to_root(leaves[index], index, size, [*path[:place], flipped, *path[place + 1 :]], root)
        assert not leads_to_root(leaves[index], index, size, path[:-1], root)
        assert not leads_to_root(leaves[index], index, size, [*path, root], root)
        assert not leads_to_root(leaves[index], size, size, path, root)

    @given(st.integers(2, 70), st.data())
    def test_of_a_node_is_no_path_of_a_leaf(self, size: int, data: st.DataObject) -> None:
        """Second preimage: a node's two halves, taken for a leaf, do not prove to the root above them."""
        index = data.draw(st.integers(0, size // 2 - 1)) * 2
        leaves = LEAVES[:size]
        path = merkle.path(leaves, index)

        forged = hashlib.sha256(merkle.LEAF + leaves[index] + leaves[index + 1]).digest()

        assert not leads_to_root(forged, index // 2, (size + 1) // 2, path[1:], merkle.root(leaves))

    @pytest.mark.parametrize("index", [-1, 3])
    def test_is_refused_where_there_is_no_leaf(self, index: int) -> None:
        with pytest.raises(IndexError):
            merkle.path(LEAVES[:3], index)


class TestSplit:
    def test_takes_apart_what_was_joined(self) -> None:
        assert merkle.split(b"".join(LEAVES)) == LEAVES
