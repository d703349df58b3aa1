"""Sets of numbers as unions of intervals and points: "[0, 1)", "x > 2", "-1 < x <= 3", "{1, 2}", unions of these."""

from __future__ import annotations

from mmcurate.verify.expression import Undefined, evaluate, symbols
from mmcurate.verify.latex import Node, bare

FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!=", "~": "~", "==": "=="}
"""The signs of relations, read from the other side."""


def sign_free(node: Node) -> str:
    """Returns the symbol that a tree is but for its sign, or an empty text."""
    while node[0] == "neg" or (node[0] == "+" and len(node[1]) == 1):
        node = node[1] if node[0] == "neg" else node[1][0]
    return node[1] if node[0] == "sym" else ""


def infinity(node: Node) -> int:
    """Returns 1 for infinity, -1 for minus infinity, 0 for anything else."""
    sign = 1
    while node[0] == "neg":
        node, sign = node[1], -sign
    return sign if node == ("sym", "infty") else 0


def is_interval(node: Node) -> bool:
    """Whether a pair is an interval for sure: it has a square bracket or an infinite end."""
    if node[0] != "tuple" or len(node[2]) != 2:
        return False
    return node[1] == "[" or node[3] == "]" or any(sign_free(i) == "infty" for i in node[2])


def is_line(node: Node) -> bool:
    """Whether a tree is the set of all real numbers."""
    return node == ("text", "set R")


class NotASet(Exception):
    """A set has ends without a value, so its parts can't be put in order."""


Piece = tuple[bool, Node, Node, bool]
"""Whether the left end belongs to it, both ends, whether the right end does."""
_INFINITY: Node = ("sym", "infty")


def pieces_of(node: Node) -> tuple[str | None, list[Piece]] | None:
    """Returns the variable, and the intervals and points of a set of numbers; None where it is none."""
    node = bare(node)
    if node[0] == "builder":
        return pieces_of(node[1])
    if is_line(node):
        return None, [(False, ("neg", _INFINITY), _INFINITY, False)]
    if node[0] == "set":
        return None, [(True, i, i, True) for i in node[1]]
    if node[0] == "tuple":
        if len(node[2]) != 2:
            return None
        return None, [(node[1] == "[", node[2][0], node[2][1], node[3] == "]")]
    if node[0] == "cup":
        one, two = pieces_of(node[1]), pieces_of(node[2])
        return None if one is None or two is None else (one[0] or two[0], one[1] + two[1])
    if node[0] == "list":
        parts = [pieces_of(i) for i in node[1]]
        if any(p is None for p in parts) or not all(bare(i)[0] == "rel" for i in node[1]):
            return None
        pieces = [piece for p in parts if p for piece in p[1]]
        names = {p[0] for p in parts if p}
        if len(names) != 1:
            return None
        joined = node[2] if len(node) > 2 else ""
        if joined == "or":
            return names.pop(), pieces
        return names.pop(), _intersected(pieces)
    if node[0] != "rel":
        return None
    sides, signs = node[1], node[2]
    if signs == ("in",):
        inner = pieces_of(sides[1])
        return None if inner is None else (str(sides[0]), inner[1])
    if len(sides) == 2 and signs[0] in ("<", ">", "<=", ">=", "!="):
        left, right = sides
        sign = signs[0]
        if symbols(left) == frozenset() and _is_variable(right):
            left, right, sign = right, left, FLIPPED[sign]
        if not _is_variable(left):
            return None
        name = str(left)
        if left[0] == "abs" and sign in ("<", "<="):
            return str(left[1]), [(sign == "<=", ("neg", right), right, sign == "<=")]
        if sign == "!=":
            return name, [(False, ("neg", _INFINITY), right, False), (False, right, _INFINITY, False)]
        if sign in ("<", "<="):
            return name, [(False, ("neg", _INFINITY), right, sign == "<=")]
        return name, [(sign == ">=", right, _INFINITY, False)]
    if len(sides) == 3 and set(signs) <= {"<", "<="} and _is_variable(sides[1]):
        return _variable(sides[1]), _absolute(sides[1], [(signs[0] == "<=", sides[0], sides[2], signs[1] == "<=")])
    if len(sides) == 3 and set(signs) <= {">", ">="} and _is_variable(sides[1]):
        return _variable(sides[1]), _absolute(sides[1], [(signs[1] == ">=", sides[2], sides[0], signs[0] == ">=")])
    return None


def _is_variable(node: Node) -> bool:
    return node[0] in ("sym", "call") or (node[0] == "abs" and node[1][0] == "sym")


def _variable(node: Node) -> str:
    return str(node[1] if node[0] == "abs" else node)


def _absolute(variable: Node, pieces: list[Piece]) -> list[Piece]:
    if variable[0] != "abs":
        return pieces
    return [*((h, ("neg", high), ("neg", low), c) for c, low, high, h in pieces), *pieces]


def _value_or_infinity(node: Node) -> float:
    sign = infinity(node)
    if sign:
        return sign * float("inf")
    try:
        return float(complex(evaluate(node, {})).real)
    except (Undefined, OverflowError):
        raise NotASet from None


def _intersected(pieces: list[Piece]) -> list[Piece]:
    """Returns one interval for "x > 1 and x < 5", and both for "x < 1 or x > 5"."""
    if len(pieces) != 2:
        return pieces
    (c1, low1, high1, d1), (c2, low2, high2, d2) = pieces
    if infinity(low1) and infinity(high2) and not infinity(high1):
        (c1, low1, high1, d1), (c2, low2, high2, d2) = (c2, low2, high2, d2), (c1, low1, high1, d1)
    if infinity(high1) and infinity(low2):
        return [(c1, low1, high2, d2)] if _value_or_infinity(low1) < _value_or_infinity(high2) else pieces
    return pieces


def sorted_pieces(pieces: list[Piece]) -> list[Piece]:
    """Returns intervals and points from left to right.

    Raises:
        NotASet: an end has no value.
    """
    if len(pieces) < 2:
        return pieces
    return sorted(pieces, key=lambda p: (_value_or_infinity(p[1]), _value_or_infinity(p[2])))
