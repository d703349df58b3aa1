"""Comparing mathematics: expressions, equations, inequalities, intervals, sets, tuples, lists, matrices and ratios."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from mmcurate.answers import normal
from mmcurate.verify.expression import (
    TooLarge,
    Undefined,
    bounds,
    children,
    evaluate,
    fifty,
    point,
    surely_large,
    symbols,
)
from mmcurate.verify.intervals import (
    FLIPPED,
    NotASet,
    infinity,
    is_interval,
    is_line,
    pieces_of,
    sign_free,
    sorted_pieces,
)
from mmcurate.verify.latex import MAX_CHARS, Node, bare, read
from mmcurate.verify.number import NO_UNIT, rounds_to, within
from mmcurate.verify.policy import DEFAULT, Policy
from mmcurate.verify.text import remembered, unwrap, words
from mmcurate.verify.tokens import TooDeep, Unreadable
from mmcurate.verify.units import same_unit

_MAX_ITEMS = 60
_MAX_STEPS = 20_000
_NUM_POINTS = 3
Answer = bool | None


def equal_math(answer: str, gold: str, policy: Policy, *, ordered: bool = False) -> Answer:
    """Whether two texts are the same mathematics; None where that can't be said.

    Args:
        answer: as it was extracted.
        gold: the known answer.
        policy: what counts as the same.
        ordered: whether the order of a list without brackets matters.

    Raises:
        Unreadable: one of them isn't mathematics; the message says which.
        TooLarge: both are numbers too large to hold.
    """
    texts = {"gold": clean(gold), "answer": clean(answer)}
    result: Answer = False
    for commas in (True, False):
        if not commas and not _comma_lists(list(texts.values())):
            break
        trees = {}
        for name, text in texts.items():
            try:
                trees[name] = read(text, commas=commas)
            except Unreadable as error:
                raise type(error)(f"the {name} isn't mathematics: {error}") from None
        try:
            result = _Comparison(policy, ordered).same(trees["answer"], trees["gold"])
        except RecursionError:
            raise TooDeep("it is nested too deeply") from None
        if result:
            return True
    return result


def same_math(a: str, b: str) -> bool:
    """Whether two texts are plainly the same mathematics."""
    one, two = _at_a_point(a), _at_a_point(b)
    if one is not None and two is not None and abs(one - two) > 0.02 * max(abs(one), abs(two)):
        return False  # found soon, as most options are wrong
    try:
        return equal_math(a, b, DEFAULT) is True
    except (Unreadable, TooLarge):
        return False


_PLAIN = frozenset(("num", "sym", "+", "*", "/", "^", "neg", "root", "fn", "log", "!", "binom", "abs"))


@remembered
def _at_a_point(text: str) -> complex | None:
    """Returns an expression's value at one point of its symbols; None for what has units, signs to choose, or several parts."""
    try:
        node = read(clean(text))
        return complex(evaluate(node, point(symbols(node), bounds(node), 0))) if _is_plain(node) else None
    except (Unreadable, Undefined, OverflowError, RecursionError):
        return None


def _is_plain(node: Node) -> bool:
    return node[0] in _PLAIN and node != ("sym", "infty") and all(map(_is_plain, children(node)))


@remembered
def clean(text: str) -> str:
    """Returns a text without the marks around its mathematics."""
    if len(text) > 2 * MAX_CHARS:
        raise TooDeep(f"a text of {len(text):,} characters isn't mathematics")
    text = unwrap(normal(text))
    if "\n" in text and "\\" not in text:
        text = re.sub(r"\s*\n\s*", ", ", text)
    if _ALL_REALS.fullmatch(text):
        return "\\mathbb{R}"
    text = text.replace("\\(", " ").replace("\\)", " ").replace("\\[", " ").replace("\\]", " ")
    return re.sub(r"(?<!\\)[$`]|\*\*(?=\s|$)|^\*\*", " ", text).strip().rstrip(".,;:").strip()


_ALL_REALS = re.compile(r"(?:the set of )?(?:all )?real numbers|all reals|全体实数|R|ℝ", re.I)


def is_all_reals(text: str) -> bool:
    """Whether a text says "all real numbers" in words."""
    return bool(_ALL_REALS.fullmatch(text.strip().rstrip(".")))


def _comma_lists(texts: Sequence[str]) -> bool:
    """Whether "1,234" might be a list of two: nobody writes a space there, and no part begins with zero."""
    return any(re.search(r"\d,\d{3}(?!\d)", t) for t in texts) and not any(
        re.search(r"\d,\s+\d|\d,0\d", t) for t in texts
    )


class _Comparison:
    def __init__(self, policy: Policy, ordered: bool) -> None:
        self.policy, self.ordered, self.steps = policy, ordered, 0

    def same(self, a: Node, g: Node) -> Answer:
        """Whether an answer's tree means what the gold's does."""
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise TooDeep("it has too many parts")
        a, g = bare(a), bare(g)
        if a == g:
            return True
        if g[0] == "rel" or a[0] == "rel":
            return self.relations(a, g)
        if _has_pm(a) or _has_pm(g):
            if _has_pm(a) and _has_pm(g):
                pair = [_items(_expanded(a)), _items(_expanded(g))]
                return self.unordered(pair[0], pair[1])
            return self.same(_expanded(a), _expanded(g))
        families = _integers_renamed(a), _integers_renamed(g)
        if families[0] and families[1]:
            return self.same(families[0], families[1])
        kinds = (a[0], g[0])
        if "builder" in kinds:
            return self.same(a[1] if a[0] == "builder" else a, g[1] if g[0] == "builder" else g)
        if "cup" in kinds or "cap" in kinds or "minus" in kinds:
            return self.sets(a, g)
        if "matrix" in kinds or _has_matrix(a) or _has_matrix(g):
            return self.matrices(a, g)
        if is_interval(a) or is_interval(g) or is_line(a) or is_line(g):
            if a[0] == g[0] == "tuple" and len(a[2]) == len(g[2]):
                return a[1] == g[1] and a[3] == g[3] and self.in_order(a[2], g[2])
            return self.sets(a, g) if kinds != ("tuple", "tuple") else False
        if "list" in kinds or "set" in kinds or "tuple" in kinds:
            return self.collections(a, g)
        if "ratio" in kinds:
            return self.ratios(a, g)
        return self.values(a, g)

    # -- relations

    def relations(self, a: Node, g: Node) -> Answer:
        named_a, named_g = _assignment(a), _assignment(g)
        if named_a and named_g:
            if self.names(named_a[0], named_g[0]):
                renamed = _renamed(named_a, named_g)
                return self.same(renamed, named_g[1])
            if self.equations(a, g):
                return True
            dependent = all(_is_dependent(n[0]) for n in (named_a, named_g))
            return self.same(_renamed(named_a, named_g), named_g[1]) if dependent else False
        if g[0] != "rel":
            if g[0] in ("list", "set") and a[0] == "rel" and named_a is None:
                return self.sets(a, g)
            if named_a:
                exact = self.same(named_a[1], g)
                if not exact and named_a[2] is not None:  # "x = 1/3 ≈ 0.333"
                    return True if self.same(named_a[2], g) and self.close(named_a[1], named_a[2]) else exact
                return exact
            chain = _chain(a)
            if chain is not None:  # "5+5+1 = 11"
                return self.same(chain, g)
            return self.sets(a, g)
        if a[0] != "rel":
            if named_g:
                exact = self.same(a, named_g[1])
                if not exact and named_g[2] is not None:
                    return True if self.same(a, named_g[2]) else exact
                return exact
            if any(sign in ("=", "~", "==") for sign in g[2]):
                chain = _chain(g)
                if chain is not None and not symbols(g[1][0]):
                    return False if symbols(g) else self.same(a, chain)
                return False
            return self.sets(a, g)
        if set(a[2]) <= {"=", "~"} and set(g[2]) <= {"=", "~"}:
            return self.equations(a, g)
        direct = self.inequalities(a, g)
        return True if direct else self.sets(a, g, otherwise=direct)

    def names(self, a: Node, g: Node) -> bool:
        """Whether two left-hand sides name the same thing."""
        if a == g or (a[0] == g[0] == "sym" and a[1].lower() == g[1].lower()):
            return True
        if a[0] == g[0] == "call":
            return (
                a[1] == g[1] and len(a[2]) == len(g[2]) and (a[2] == g[2] or all(x[0] == "sym" for x in (*a[2], *g[2])))
            )
        if a[0] in ("tuple", "list", "group") and g[0] in ("tuple", "list", "group"):
            return _items(a) == _items(g)
        return False

    def equations(self, a: Node, g: Node) -> Answer:
        """Whether two equations are one up to a constant factor."""
        if len(a[1]) != 2 or len(g[1]) != 2:
            if len(a[1]) == len(g[1]):
                return self.in_order(a[1], g[1])
            return None
        if symbols(a) != symbols(g):
            return False if symbols(a) and symbols(g) else None
        one, two = _difference(a[1]), _difference(g[1])
        if self.proportional(one, two, positive=False):
            return True
        if self.in_order(a[1], g[1]) or self.in_order(a[1][::-1], g[1]):
            return True
        return None if _reshapable(a) or _reshapable(g) else False

    def inequalities(self, a: Node, g: Node) -> Answer:
        if a[2] != g[2] and len(a[2]) == len(g[2]) and all(s in FLIPPED for s in a[2]):
            a = ("rel", a[1][::-1], tuple(FLIPPED[s] for s in a[2][::-1]))
        if a[2] != g[2]:
            return False if len(a[2]) == len(g[2]) else None
        if self.in_order(a[1], g[1]):
            return True
        if len(a[2]) == 1 and a[2][0] in ("<", ">", "<=", ">=", "!="):
            return self.proportional(_difference(a[1]), _difference(g[1]), positive=a[2][0] != "!=")
        if len(a[2]) == 1 and a[2][0] in ("parallel", "perp", "cong", "sim", "iff"):
            return self.in_order(a[1][::-1], g[1])
        return False

    def proportional(self, one: Node, two: Node, positive: bool) -> bool:
        """Whether one expression is a constant times another."""
        names = symbols(one) | symbols(two)
        if symbols(one) != symbols(two):
            return False
        ratio: Any = None
        count = 0
        for k in range(_NUM_POINTS + 1):
            values = point(names, bounds(one) | bounds(two), k)
            try:
                x, y = evaluate(one, values), evaluate(two, values)
            except Undefined:
                continue
            if x == 0 or y == 0:
                if x == y:
                    continue
                return False
            now = x / y if isinstance(x, Fraction) and isinstance(y, Fraction) else complex(x) / complex(y)
            if ratio is None:
                ratio = now
            elif not _near(now, ratio):
                return False
            count += 1
        if count < 2:
            return False
        return not positive or (complex(ratio).real > 0 and abs(complex(ratio).imag) < 1e-9)

    # -- sets of numbers

    def sets(self, a: Node, g: Node, otherwise: Answer = None) -> Answer:
        """Compares as unions of intervals and points."""
        try:
            ours, theirs = pieces_of(a), pieces_of(g)
            one, two = (sorted_pieces(part[1]) if part else [] for part in (ours, theirs))
        except NotASet:
            return otherwise
        if ours is None or theirs is None:
            if a[0] == g[0] and a[0] in ("cup", "cap", "minus"):
                return True if self.in_order(a[1:3], g[1:3]) else otherwise
            return otherwise if ours is None and theirs is None else (False if otherwise is None else otherwise)
        if (
            ours[0] != theirs[0]
            and None not in (ours[0], theirs[0])
            and not (_is_dependent_name(ours[0]) or _is_dependent_name(theirs[0]))
        ):
            return False
        if len(one) != len(two):
            return False
        for x, y in zip(one, two, strict=True):
            if x[0] != y[0] or x[3] != y[3]:
                return False
            for mine, other in ((x[1], y[1]), (x[2], y[2])):
                same = self.same(mine, other)
                if not same:
                    return same
        return True

    # -- collections

    def collections(self, a: Node, g: Node) -> Answer:
        if g[0] not in ("list", "set", "tuple"):
            if len(_items(a)) == 1:
                return self.same(_items(a)[0], g)
            return False
        if a[0] not in ("list", "set", "tuple"):
            return self.same(a, _items(g)[0]) if len(_items(g)) == 1 else False
        ours, theirs = _items(a), _items(g)
        if a[0] == g[0] == "tuple":
            return len(ours) == len(theirs) and self.in_order(ours, theirs)
        if a[0] == "tuple" and any(item[0] == "tuple" for item in theirs) and not any(i[0] == "tuple" for i in ours):
            return False
        if {a[0], g[0]} == {"set", "tuple"}:
            return False
        relations = [i for i in (*ours, *theirs) if i[0] == "rel" and not _assignment(i)]
        if relations and "tuple" in (a[0], g[0]):
            return self.sets(a, g)
        if "tuple" in (a[0], g[0]):
            if _rels(ours) != _rels(theirs):
                ours, theirs = _values(ours), _values(theirs)
            return len(ours) == len(theirs) and self.in_order(ours, theirs)
        if any(i[0] == "rel" and not _assignment(i) for i in (*ours, *theirs)):
            made = self.unordered(ours, theirs)
            return made or self.sets(a, g, otherwise=made)
        named = [[_assignment(i) for i in items] for items in (ours, theirs)]
        distinct = [len({str(n[0]) for n in ns if n}) for ns in named]
        if max(distinct) > 1 and min(distinct) == 0:  # "x = 1, y = 2" and "1, 2"
            ours, theirs = _values(ours), _values(theirs)
            return len(ours) == len(theirs) and self.in_order(ours, theirs)
        bases = {re.sub(r"_.*", "", str(n[0][1])) for ns in named for n in ns if n and n[0][0] == "sym"}
        if max(distinct) <= 1 or (
            len(bases) == 1 and min(distinct) == 1 and all(n and n[0][0] == "sym" for ns in named for n in ns)
        ):
            ours, theirs = _values(ours), _values(theirs)
        if self.ordered and a[0] == g[0] == "list":
            return len(ours) == len(theirs) and self.in_order(ours, theirs)
        return self.unordered(ours, theirs)

    def in_order(self, ours: Sequence[Node], theirs: Sequence[Node]) -> Answer:
        if len(ours) != len(theirs):
            return False
        unsure = False
        for a, g in zip(ours, theirs, strict=True):
            same = self.same(a, g)
            if same is False:
                return False
            unsure |= same is None
        return None if unsure else True

    def unordered(self, ours: Sequence[Node], theirs: Sequence[Node]) -> Answer:
        """Whether each item of one is in the other."""
        ours = [i for item in ours for i in _items(_expanded(item))] if any(map(_has_pm, ours)) else ours
        theirs = [i for item in theirs for i in _items(_expanded(item))] if any(map(_has_pm, theirs)) else theirs
        if set(ours) == set(theirs):
            return True
        if len(ours) > _MAX_ITEMS or len(theirs) > _MAX_ITEMS:
            raise TooDeep("it has too many parts")
        table = [[self.same(a, g) for g in theirs] for a in ours]
        if all(any(row) for row in table) and all(any(column) for column in zip(*table, strict=True)):
            # each distinct value of one stands once in the other
            return len(set(ours)) == len(set(theirs)) or _distinct(self, ours) == _distinct(self, theirs)
        return None if any(x is None for row in table for x in row) else False

    def ratios(self, a: Node, g: Node) -> Answer:
        ours, theirs = (n[1] if n[0] == "ratio" else (n,) for n in (a, g))
        if len(ours) == len(theirs):
            if self.in_order(ours, theirs):
                return True
            try:
                x, y = [evaluate(n, {}) for n in ours], [evaluate(n, {}) for n in theirs]
            except Undefined:
                return None if len(ours) > 2 else self.values(a, g)
            if any(v == 0 for v in (*x, *y)):
                return False
            return all(_near(p * y[0], q * x[0]) for p, q in zip(x, y, strict=True))
        if 2 in (len(ours), len(theirs)) and 1 in (len(ours), len(theirs)):
            return self.values(a, g)
        return False

    # -- matrices

    def matrices(self, a: Node, g: Node) -> Answer:
        if a[0] in ("tuple", "list", "set") and g[0] == "matrix":
            return self.in_order(_items(a), [cell for row in g[1] for cell in row]) if 1 in _shape(g[1]) else False
        if g[0] in ("tuple", "list", "set") and a[0] == "matrix":
            return self.in_order([cell for row in a[1] for cell in row], _items(g)) if 1 in _shape(a[1]) else False
        ours, theirs = _matrix(a), _matrix(g)
        if ours is None or theirs is None:
            return None
        if _shape(ours) != _shape(theirs) and not (1 in _shape(ours) and _shape(ours) == _shape(theirs)[::-1]):
            return False
        return self.in_order([c for row in ours for c in row], [c for row in theirs for c in row])

    # -- values

    def values(self, a: Node, g: Node) -> Answer:
        if (a[0], g[0]) in (("unit", "deg"), ("deg", "unit")):
            a, g = (("unit", n[1], "°") if n[0] == "deg" else n for n in (a, g))
        unit_a, unit_g = (n[2] if n[0] == "unit" else "" for n in (a, g))
        if unit_a or unit_g:
            bare_a, bare_g = (n[1] if n[0] == "unit" else n for n in (a, g))
            if (a[0] == "text") != (g[0] == "text") and not (unit_a and unit_g):
                return False
            if not (unit_a and unit_g):
                if _words_matter(unit_a or unit_g):
                    raise Unreadable(f"{unit_a or unit_g!r} is no unit")
                return self.values(bare_a, bare_g) if self.policy.missing_units else False
            factor = same_unit(unit_a, unit_g)
            if factor is None:
                return False
            return self.values(("*", (bare_a, ("num", factor, None))) if factor != 1 else bare_a, bare_g)
        if a[0] == "text" or g[0] == "text":
            if a[0] in ("text", "sym") and g[0] in ("text", "sym"):
                return words(str(a[1])) == words(str(g[1]))
            return None if a[0] == g[0] else False
        if (a[0] == "percent") != (g[0] == "percent") and self.policy.percent_as_number:
            bare = self.values(*(n[1] if n[0] == "percent" else n for n in (a, g)))
            if bare:
                return True
        if (a[0] == "deg") != (g[0] == "deg") and self.policy.missing_units:
            bare = self.values(*(n[1] if n[0] == "deg" else n for n in (a, g)))
            if bare:
                return True
        if (a[0] == "based") != (g[0] == "based"):  # 204_5 is written 204 where the question names the base
            based, other = (a, g) if a[0] == "based" else (g, a)
            if other[0] == "num" and other[1] == Fraction(based[1]):
                return self.policy.missing_units
            return False
        if a[0] == g[0] == "based" and a[2] == g[2]:
            return a[1].lstrip("0") == g[1].lstrip("0")
        if self.policy.simplified and not _is_simplified(a):
            return False
        return self.expressions(a, g)

    def expressions(self, a: Node, g: Node) -> Answer:
        if "infty" in (sign_free(a), sign_free(g)):
            return infinity(a) == infinity(g)
        names = symbols(a) | symbols(g)
        whole = bounds(a) | bounds(g)
        agreed = 0
        too_large: TooLarge | None = None
        for k in range(_NUM_POINTS if names else 1):
            values = point(names, whole, k)
            try:
                x = evaluate(a, values)
                y = evaluate(g, values)
            except TooLarge as error:
                too_large = error
                continue
            except Undefined:
                continue
            if isinstance(x, Fraction) and isinstance(y, Fraction):
                same = x == y or self.rounded(a, g, x, y)
            else:
                same = self.rounded(a, g, x, y) or (_near(x, y) and self.same_to_50_digits(a, g, values))
            if not same:
                return False
            agreed += 1
        if too_large and not agreed:
            if names:
                raise too_large
            return self.large(a, g, too_large)
        return True if agreed else None

    def large(self, a: Node, g: Node, error: TooLarge) -> Answer:
        """Compares two numbers of which one at least is too large to hold."""
        held = []
        for node in (a, g):
            try:
                evaluate(node, {})
                held.append(True)
            except TooLarge:
                held.append(False)
            except Undefined:
                return None
        if any(held):
            if surely_large(g if held[0] else a):
                return False
            raise error
        return self.logarithms(a, g)

    def logarithms(self, a: Node, g: Node) -> Answer:
        """Compares two powers that are too large to hold."""
        logs: list[Node] = []
        for node in (a, g):
            if node[0] != "^":
                raise TooLarge("both numbers are too large to hold")
            logs.append(("*", (node[2], ("fn", "ln", node[1]))))
        return self.expressions(logs[0], logs[1])

    def same_to_50_digits(self, a: Node, g: Node, values: dict[str, Any]) -> bool:
        try:
            x, y = evaluate(a, values, fifty()), evaluate(g, values, fifty())
        except Undefined:
            return False
        mp = fifty().mp
        x, y = fifty().number(x), fifty().number(y)
        return bool(abs(x - y) <= mp.mpf(10) ** -40 * max(abs(x), abs(y), mp.mpf(10) ** -20))

    def rounded(self, a: Node, g: Node, x: Any, y: Any) -> bool:
        """Whether a decimal is the other value, rounded; or two numbers are as close as the policy states."""
        if not (symbols(a) or symbols(g)) and all(isinstance(v, Fraction) or abs(v.imag) <= 1e-12 for v in (x, y)):
            scale = 100 if g[0] == "percent" else 1
            exact = [scale * (v if isinstance(v, Fraction) else Fraction(v.real)) for v in (x, y)]
            stated = within(exact[0], exact[1], self.policy)
            if stated is not None:
                return stated
        for node, mine, other in ((a, x, y), (g, y, x)):
            number = node
            while number[0] in ("neg", "percent", "deg"):
                number = number[1]
            if (
                number[0] != "num"
                or number[2] is None
                or any(isinstance(v, complex) and abs(v.imag) > 1e-12 for v in (x, y))
            ):
                continue
            mine, other = (v if isinstance(v, Fraction) else Fraction(v.real) for v in (mine, other))
            scale = 100 if node[0] == "percent" else 1
            if rounds_to(
                other * scale, mine * scale, number[2], self.policy, coarse_gold=node is g and _has_decimals(a)
            ):
                return True
        return False

    def close(self, a: Node, g: Node) -> bool:
        """Whether "≈" between two is honest: within 1 %."""
        try:
            x, y = complex(evaluate(bare(a), {})), complex(evaluate(bare(g), {}))
        except (Undefined, OverflowError):
            return False
        return abs(x - y) <= 0.01 * abs(x)


# -- helpers


def _near(x: Any, y: Any) -> bool:
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return x == y
    try:
        x, y = complex(x), complex(y)
    except OverflowError:
        return False
    return abs(x - y) <= 1e-9 * max(abs(x), abs(y))


def _items(node: Node) -> tuple[Node, ...]:
    node = bare(node)
    if node[0] in ("list", "set"):
        items = tuple(i for item in node[1] for i in (_items(item) if bare(item)[0] in ("list", "set") else (item,)))
        return items
    return node[2] if node[0] == "tuple" else (node,)


def _has(node: Node, kinds: tuple[str, ...]) -> bool:
    return node[0] in kinds or any(_has(child, kinds) for child in children(node))


def _has_pm(node: Node) -> bool:
    return _has(node, ("pm", "mp"))


def _has_matrix(node: Node) -> bool:
    return node[0] in ("+", "*", "neg", "/", "^") and _has(node, ("matrix",))


def _has_decimals(node: Node) -> bool:
    return (node[0] == "num" and node[2] is not None) or any(map(_has_decimals, children(node)))


def _signed(node: Node, sign: int) -> Node:
    """Returns a tree with one sign for each "±"."""
    if node[0] in ("pm", "mp"):
        inner = _signed(node[1], sign)
        return inner if (node[0] == "pm") == (sign > 0) else ("neg", inner)
    return _mapped(node, lambda child: _signed(child, sign))


def _mapped(node: Node, change: Any) -> Node:
    kind = node[0]
    if kind in ("num", "sym", "text", "based"):
        return node
    if kind in ("+", "*", "list", "set", "ratio"):
        return (kind, tuple(change(c) for c in node[1]))
    if kind == "rel":
        return (kind, tuple(change(c) for c in node[1]), node[2])
    if kind == "call":
        return (kind, node[1], tuple(change(c) for c in node[2]))
    if kind == "tuple":
        return (kind, node[1], tuple(change(c) for c in node[2]), node[3])
    if kind == "fn":
        return (kind, node[1], change(node[2]))
    if kind in ("sum", "prod"):
        return (kind, node[1], *(change(c) for c in node[2:]))
    if kind in ("matrix", "det"):
        return (kind, tuple(tuple(change(c) for c in row) for row in node[1]))
    if kind == "unit":
        return (kind, change(node[1]), node[2])
    return (kind, *(change(c) for c in node[1:]))


def _expanded(node: Node) -> Node:
    """Returns a tree in which "1 ± x" stands as two."""
    node = bare(node)
    if node[0] in ("list", "set"):
        return (node[0], tuple(i for item in node[1] for i in (_items(_expanded(item)) if _has_pm(item) else (item,))))
    if node[0] == "rel" and _has_pm(node):
        named = _assignment(node)
        if named:
            return (
                "list",
                (("rel", (named[0], _signed(named[1], 1)), ("=",)), ("rel", (named[0], _signed(named[1], -1)), ("=",))),
            )
    return ("list", (_signed(node, 1), _signed(node, -1))) if _has_pm(node) else node


def _distinct(comparison: _Comparison, items: Sequence[Node]) -> int:
    kept: list[Node] = []
    for item in items:
        if not any(comparison.same(item, k) for k in kept):
            kept.append(item)
    return len(kept)


def _is_name(node: Node) -> bool:
    """Whether a left-hand side only names what is sought: x, f(x), |AB|, S_1:S_2, AB/CD, (x, y)."""
    node = bare(node)
    if node[0] in ("sym", "text"):
        return node[1] != "?" if node[0] == "sym" else True
    if node[0] == "call":
        return True
    if node[0] in ("abs", "fn", "deg"):
        return _is_name(node[2] if node[0] == "fn" else node[1])
    if node[0] in ("tuple", "list", "ratio", "*"):
        parts = node[2] if node[0] == "tuple" else node[1]
        return all(_is_name(p) and bare(p)[0] != "num" for p in parts) and (
            node[0] != "*" or (len(symbols(node)) < 4 and _letters(node))
        )
    if node[0] == "/":
        return all(_is_name(p) and _letters(p) for p in node[1:])
    return False


def _letters(node: Node) -> bool:
    """Whether a name is of points rather than a product of unknowns: AB, S_{ABC}, angle:ABC."""
    return (
        node[0] in ("sym", "abs", "fn")
        and (node[0] != "sym" or node[1][0].isupper() or ":" in node[1] or "_" in node[1])
    ) or (node[0] == "*" and all(_letters(p) for p in node[1]))


def _assignment(node: Node) -> tuple[Node, Node, Node | None] | None:
    """Returns what a relation such as "x = 5" or "x in S" names, its value, and a value after "≈"; None for other relations."""
    if node[0] != "rel":
        return None
    sides, signs = node[1], node[2]
    if signs == ("in",):
        return (sides[0], sides[1], None) if _is_name(sides[0]) else None
    if not set(signs) <= {"=", "~", "=="}:
        return None
    if not _is_name(sides[0]):
        if len(sides) == 2 and _is_name(sides[1]) and not symbols(sides[0]):
            return sides[1], sides[0], None
        later = [i for i, s in enumerate(sides[:-1]) if _is_name(s)]
        if not later:
            return None
        sides, signs = sides[later[-1] :], signs[later[-1] :]
    approx = next((i for i, s in enumerate(signs) if s == "~"), None)
    if approx is None or approx == 0:
        return sides[0], sides[-1], None
    return sides[0], sides[approx], sides[-1]


def _chain(node: Node) -> Node | None:
    """Returns the last side of a calculation "5 + 5 + 1 = 11"; None where symbols stand in its first side only."""
    if set(node[2]) <= {"=", "~"} and not symbols(node[1][-1]) and not symbols(node[1][0]):
        exact = [i for i, s in enumerate(node[2]) if s == "~"]
        return node[1][exact[0]] if exact and exact[0] > 0 else node[1][-1]
    return None


def _is_dependent(node: Node) -> bool:
    return node[0] == "call" or (node[0] == "sym" and node[1][0] in "yfghzwFGSVAWLT" and ":" not in node[1])


def _is_dependent_name(name: str | None) -> bool:
    return name is not None and ("call" in name or name == "?")


def _integers_renamed(node: Node) -> Node | None:
    """Returns "n\\pi, n \\in Z" without its condition, its n under a name that all such families share; None for others."""
    if node[0] != "list":
        return None
    kept, name = [], ""
    for item in node[1]:
        if (
            item[0] == "rel"
            and item[2] == ("in",)
            and item[1][1] in (("text", "set Z"), ("sym", "Z"))
            and item[1][0][0] == "sym"
        ):
            name = item[1][0][1]
        else:
            kept.append(item)
    if not name or not kept:
        return None

    def change(part: Node) -> Node:
        if part[0] == "sym":
            return ("sym", "k in Z" if part[1] == name else part[1])
        return _mapped(part, change)

    return change(kept[0] if len(kept) == 1 else ("list", tuple(kept)))


def _renamed(named: tuple[Node, Node, Node | None], other: tuple[Node, Node, Node | None]) -> Node:
    """Returns a function's body with the other's names for its arguments."""
    if named[0][0] == other[0][0] == "call" and len(named[0][2]) == len(other[0][2]):
        names = {x[1]: y[1] for x, y in zip(named[0][2], other[0][2], strict=True) if x[0] == y[0] == "sym"}

        def change(node: Node) -> Node:
            if node[0] == "sym":
                return ("sym", names.get(node[1], node[1]))
            return _mapped(node, change)

        return change(named[1])
    return named[1]


def _difference(sides: Sequence[Node]) -> Node:
    return ("+", (bare(sides[0]), ("neg", bare(sides[1]))))


def _reshapable(node: Node) -> bool:
    """Whether an equation might be another one's multiple by more than a constant: 1/x = 2, sqrt(x) = 3."""
    return _has(node, ("root", "/", "fn", "log", "abs")) and bool(symbols(node))


def _rels(items: Sequence[Node]) -> list[bool]:
    return [i[0] == "rel" for i in items]


def _values(items: Sequence[Node]) -> tuple[Node, ...]:
    """Returns the items without the names before their values."""
    out: list[Node] = []
    for item in items:
        named = _assignment(item)
        if named and bare(named[1])[0] in ("list", "set"):
            out.extend(_items(named[1]))
        else:
            out.append(named[1] if named else item)
    return tuple(out)


def _matrix(node: Node) -> tuple[tuple[Node, ...], ...] | None:
    """Returns the cells of a matrix, or of a sum or product of matrices."""
    node = bare(node)
    if node[0] == "matrix":
        return node[1]
    if node[0] == "neg":
        inner = _matrix(node[1])
        return None if inner is None else tuple(tuple(("neg", c) for c in row) for row in inner)
    if node[0] == "+":
        parts = [_matrix(p) for p in node[1]]
        if any(p is None for p in parts) or len({_shape(p) for p in parts if p}) != 1:
            return None
        return tuple(
            tuple(("+", tuple(p[i][j] for p in parts if p)) for j in range(len(parts[0][0])))  # type: ignore[index]
            for i in range(len(parts[0]))  # type: ignore[arg-type]
        )
    if node[0] == "*" and len(node[1]) == 2:
        a, b = node[1]
        one, two = _matrix(a), _matrix(b)
        if one is None and two is not None and not _has(a, ("matrix",)):
            return tuple(tuple(("*", (a, c)) for c in row) for row in two)
        if one is not None and two is not None and len(one[0]) == len(two):
            return tuple(
                tuple(("+", tuple(("*", (row[k], two[k][j])) for k in range(len(two)))) for j in range(len(two[0])))
                for row in one
            )
    return None


def _shape(rows: Sequence[Sequence[Node]]) -> tuple[int, int]:
    return len(rows), len(rows[0])


def _words_matter(unit: str) -> bool:
    said = set(re.findall(r"[a-z]+", unit.lower()))
    return (
        bool(said & NO_UNIT)
        or bool(re.search("[或和与且到不无成折余多以上下半]", unit))
        or bool(re.search(r"\d", re.sub(r"\^\s*-?\d", "", unit)))
    )


def _is_simplified(node: Node) -> bool:
    """Whether each fraction of integers is in lowest terms."""
    if node[0] == "/" and node[1][0] == node[2][0] == "num":
        value = node[1][1] / node[2][1] if node[2][1] else Fraction(0)
        if (value.numerator, value.denominator) != (node[1][1], node[2][1]) or value.denominator == 1:
            return False
    return all(_is_simplified(child) for child in children(node))
