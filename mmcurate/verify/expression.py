"""The value of an expression: exact where it is rational, else to 15 digits, and to 50 before two are called equal.

Two expressions are the same when they agree at several points of their symbols (Schwartz-Zippel: a polynomial that isn't
zero is rarely zero at a random point). Nothing here takes long: numbers too large to hold raise `TooLarge`.
"""

from __future__ import annotations

import cmath
import math
import threading
import zlib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mmcurate.verify.latex import Node

_MAX_BITS = 20_000
_MAX_TERMS = 5_000


class Undefined(ArithmeticError):
    """An expression has no value here: a division by zero, an unknown function, words."""


class TooLarge(Undefined):
    """A value is too large to hold, or has too many terms to add up."""


# -- where expressions are looked at


def symbols(node: Node) -> frozenset[str]:
    """Returns the free symbols of a tree."""
    kind = node[0]
    if kind == "sym":
        return frozenset() if node[1] in ("pi", "e", "i", "infty", "...") else frozenset((node[1],))
    if kind in ("sum", "prod"):
        return symbols(node[2]) | symbols(node[3]) | (symbols(node[4]) - {node[1]})
    if kind in ("num", "text", "based"):
        return frozenset()
    return frozenset().union(*(symbols(child) for child in children(node)))


_TWO = ("log", "/", "^", "root", "binom", "cup", "cap", "minus")


def children(node: Node) -> tuple[Node, ...]:
    """Returns the trees directly in a tree."""
    kind = node[0]
    if kind in ("num", "sym", "text", "based"):
        return ()
    if kind in ("+", "*", "list", "set", "ratio", "rel"):
        return node[1]
    if kind in ("call", "tuple"):
        return node[2]
    if kind == "fn":
        return (node[2],)
    if kind in _TWO:
        return node[1:3]
    if kind in ("sum", "prod"):
        return node[2:]
    if kind in ("matrix", "det"):
        return tuple(cell for row in node[1] for cell in row)
    return (node[1],)


def bounds(node: Node) -> frozenset[str]:
    """Returns the symbols that must be whole numbers: those in the bounds of sums, in factorials and binomials."""
    found: frozenset[str] = frozenset()
    if node[0] in ("sum", "prod"):
        found |= symbols(node[2]) | symbols(node[3])
    elif node[0] in ("!", "binom"):
        found |= symbols(node)
    for child in children(node):
        found |= bounds(child)
    return found


def point(names: frozenset[str], whole: frozenset[str], k: int) -> dict[str, Fraction]:
    """Returns the k-th point at which expressions in some symbols are compared. The same name always gets the same value."""
    values = {}
    for name in names:
        seed = zlib.crc32(f"{name}/{k}".encode())
        if name in whole:
            values[name] = Fraction(5 + seed % 6)
        else:
            value = Fraction(211 + seed % 1777, 97 + (seed >> 12) % 631)
            values[name] = -value if k % 2 and seed >> 31 else value
    return values


# -- two kinds of arithmetic


class _Double:
    pi, e = math.pi, math.e

    @staticmethod
    def number(value: Any) -> Any:
        try:
            return float(value) if isinstance(value, (Fraction, int)) else value
        except OverflowError:
            raise TooLarge("a number is too large") from None

    sin, cos, tan, exp, log = map(staticmethod, (cmath.sin, cmath.cos, cmath.tan, cmath.exp, cmath.log))
    sinh, cosh, tanh = map(staticmethod, (cmath.sinh, cmath.cosh, cmath.tanh))
    asin, acos, atan = map(staticmethod, (cmath.asin, cmath.acos, cmath.atan))


class _Fifty:
    """mpmath to 50 digits."""

    def __init__(self) -> None:
        import mpmath

        self.mp = mp = mpmath.MPContext()
        mp.dps = 50
        self.pi, self.e = +mp.pi, +mp.e
        self.sin, self.cos, self.tan, self.exp, self.log = mp.sin, mp.cos, mp.tan, mp.exp, mp.log
        self.sinh, self.cosh, self.tanh = mp.sinh, mp.cosh, mp.tanh
        self.asin, self.acos, self.atan = mp.asin, mp.acos, mp.atan

    def number(self, value: Any) -> Any:
        return self.mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


DOUBLE = _Double()
_local = threading.local()


def fifty() -> Any:
    """Returns arithmetic to 50 digits. mpmath's context keeps state, so each thread has its own."""
    if not hasattr(_local, "fifty"):
        _local.fifty = _Fifty()
    return _local.fifty


def evaluate(node: Node, values: Mapping[str, Any], arithmetic: Any = DOUBLE) -> Any:
    """Returns an expression's value: a `Fraction` where it is rational, else a number of the arithmetic.

    Raises:
        Undefined: there is no value.
        TooLarge: it is too large.
    """
    try:
        value = _Evaluation(values, arithmetic).of(node)
        if isinstance(value, Fraction):
            return value
        if isinstance(value, complex) and not (math.isfinite(value.real) and math.isfinite(value.imag)):
            raise TooLarge("a value is too large")
        return value
    except ZeroDivisionError:
        raise Undefined("a division by zero") from None
    except OverflowError:
        raise TooLarge("a value is too large") from None
    except (ValueError, TypeError) as error:
        raise Undefined(str(error)) from None


class _Evaluation:
    def __init__(self, values: Mapping[str, Any], arithmetic: Any) -> None:
        self.values, self.a, self.terms = values, arithmetic, 0

    def of(self, node: Node) -> Any:
        kind = node[0]
        if kind == "num":
            return node[1]
        if kind == "sym":
            return self.symbol(node[1])
        if kind == "+":
            total = self.of(node[1][0])
            for term in node[1][1:]:
                total = self.add(total, self.of(term))
            return total
        if kind == "*":
            product = self.of(node[1][0])
            for factor in node[1][1:]:
                product = self.multiply(product, self.of(factor))
            return product
        if kind == "/":
            top, bottom = self.of(node[1]), self.of(node[2])
            if bottom == 0:
                raise Undefined("a division by zero")
            return (
                _bounded(top / bottom)
                if isinstance(top, Fraction) and isinstance(bottom, Fraction)
                else self.a.number(top) / self.a.number(bottom)
            )
        if kind == "neg":
            return -self.of(node[1])
        if kind == "^":
            return self.power(self.of(node[1]), self.of(node[2]))
        if kind == "root":
            return self.root(self.of(node[1]), self.of(node[2]))
        if kind == "fn":
            return self.function(node[1], self.of(node[2]))
        if kind == "log":
            arg, base = self.of(node[2]), self.of(node[1])
            return self.divide(self.function("ln", arg), self.function("ln", base))
        if kind == "abs":
            value = self.of(node[1])
            return abs(value)
        if kind == "deg":
            return self.multiply(self.of(node[1]), self.a.number(self.a.pi) / 180)
        if kind == "percent":
            return self.of(node[1]) / 100
        if kind == "!":
            return self.factorial(self.of(node[1]))
        if kind == "binom":
            n, k = self.of(node[1]), self.of(node[2])
            if not (_whole(n) and _whole(k) and 0 <= k <= n):
                raise Undefined("a binomial")
            if n > 1000:
                raise TooLarge("a binomial is too large")
            return Fraction(math.comb(int(n), int(k)))
        if kind in ("sum", "prod"):
            return self.big(node)
        if kind == "call":
            return self.call(node)
        if kind == "group":
            return self.of(node[1])
        if kind == "det":
            return self.determinant([[self.of(cell) for cell in row] for row in node[1]])
        if kind == "ratio" and len(node[1]) == 2:
            return self.divide(self.of(node[1][0]), self.of(node[1][1]))
        if kind == "based":
            digits, base = node[1], int(Fraction(node[2])) if node[2].replace("/", "").isdigit() else 0
            if not 2 <= base <= 36:
                raise Undefined("a base")
            return Fraction(int(digits, base))
        raise Undefined(f"a {kind} is no number")

    def symbol(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        if name == "pi":
            return self.a.pi
        if name == "e":
            return self.a.e
        if name == "i":
            return 1j if self.a is DOUBLE else self.a.mp.mpc(0, 1)
        raise Undefined(f"{name} has no value")

    def add(self, a: Any, b: Any) -> Any:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a + b
        return self.a.number(a) + self.a.number(b)

    def multiply(self, a: Any, b: Any) -> Any:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return _bounded(a * b)
        return self.a.number(a) * self.a.number(b)

    def divide(self, a: Any, b: Any) -> Any:
        if b == 0:
            raise Undefined("a division by zero")
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a / b
        return self.a.number(a) / self.a.number(b)

    def power(self, base: Any, exponent: Any) -> Any:
        if isinstance(exponent, Fraction):
            if exponent.denominator == 1 and isinstance(base, Fraction):
                n = int(exponent)
                bits = max(base.numerator.bit_length(), base.denominator.bit_length())
                if base in (0, 1, -1) or abs(n) * bits <= _MAX_BITS:
                    if base == 0 and n <= 0:
                        raise Undefined("zero to the power zero")
                    return base**n
                if abs(n).bit_length() > 40:
                    raise TooLarge("a power is too large")
            elif isinstance(base, Fraction) and base >= 0 and exponent.denominator <= 12:
                exact = _exact_root(base, exponent.denominator)
                if exact is not None:
                    return self.power(exact, Fraction(exponent.numerator))
            if isinstance(base, Fraction) and base < 0 and exponent.denominator % 2 and exponent.denominator > 1:
                # the real root of a negative number: (-8)^(1/3) = -2
                value = self.power(-base, exponent)
                return -value if exponent.numerator % 2 else value
        if base == 0:
            raise Undefined("a power of zero")
        base, exponent = self.a.number(base), self.a.number(exponent)
        if self.a is not DOUBLE and abs(exponent) > 10**9:
            raise TooLarge("a power is too large")
        return base**exponent

    def root(self, degree: Any, value: Any) -> Any:
        if isinstance(degree, Fraction) and abs(degree) > 1000:
            raise TooLarge("a root is too high")
        if not isinstance(degree, Fraction) or degree == 0:
            return self.power(value, self.divide(Fraction(1), degree))
        if degree.denominator == 1 and 0 < degree <= 12 and isinstance(value, Fraction):
            negative = value < 0
            if not negative or degree % 2:
                exact = _exact_root(abs(value), int(degree))
                if exact is not None:
                    return -exact if negative else exact
        if isinstance(value, Fraction) and value == 0:
            return Fraction(0)
        if degree == 2 and self.a is DOUBLE:
            return cmath.sqrt(self.a.number(value))
        if degree == 2:
            return self.a.mp.sqrt(self.a.number(value))
        return self.power(value, 1 / degree)

    def function(self, name: str, value: Any) -> Any:
        x = self.a.number(value)
        a = self.a
        if name in ("ln", "log", "lg"):
            if x == 0:
                raise Undefined("the logarithm of zero")
            return a.log(x) if name == "ln" else a.log(x) / a.log(10)
        if name in ("floor", "ceil"):
            if isinstance(value, Fraction):
                return Fraction(math.floor(value) if name == "floor" else math.ceil(value))
            real = x.real if hasattr(x, "real") else x
            return Fraction(math.floor(real) if name == "floor" else math.ceil(real))
        if name == "exp":
            return a.exp(x)
        reciprocal = {"cot": "tan", "sec": "cos", "csc": "sin", "coth": "tanh"}.get(name)
        if reciprocal:
            return 1 / getattr(a, reciprocal)(x)
        if name == "arccot":
            return a.pi / 2 - a.atan(x)
        return getattr(a, name.replace("arc", "a"))(x)

    def factorial(self, value: Any) -> Any:
        if not _whole(value) or value < 0:
            raise Undefined("a factorial")
        if value > 2000:
            raise TooLarge("a factorial is too large")
        return Fraction(math.factorial(int(value)))

    def big(self, node: Node) -> Any:
        kind, name, low, high, body = node
        start, end = self.of(low), self.of(high)
        if not (_whole(start) and _whole(end)):
            raise Undefined("the bounds of a sum")
        self.terms += max(0, int(end) - int(start) + 1)
        if self.terms > _MAX_TERMS:
            raise TooLarge("a sum of too many terms")
        outer = self.values
        total: Any = Fraction(0 if kind == "sum" else 1)
        for k in range(int(start), int(end) + 1):
            self.values = {**outer, name: Fraction(k)}
            value = self.of(body)
            total = self.add(total, value) if kind == "sum" else self.multiply(total, value)
        self.values = outer
        return total

    def call(self, node: Node) -> Any:
        """A function that nobody defined has some fixed value for each of its arguments."""
        said = []
        for arg in node[2]:
            value = self.of(arg)
            said.append(str(value) if isinstance(value, Fraction) else f"{complex(value):.9g}")
        seed = zlib.crc32(f"{node[1]}({','.join(said)})".encode())
        return Fraction(101 + seed % 3571, 89 + (seed >> 12) % 977)

    def determinant(self, rows: list[list[Any]]) -> Any:
        if len(rows) == 1:
            return rows[0][0]
        if len(rows) != len(rows[0]) or len(rows) > 5:
            raise Undefined("a determinant")
        total: Any = Fraction(0)
        for j, value in enumerate(rows[0]):
            minor = [row[:j] + row[j + 1 :] for row in rows[1:]]
            term = self.multiply(value, self.determinant(minor))
            total = self.add(total, -term if j % 2 else term)
        return total


def surely_large(node: Node) -> bool:
    """Whether a value that is too large to hold is a large positive number, and not a difference or a sine of such."""
    if node[0] == "!":
        return _at_least_two(node[1]) or surely_large(node[1])
    if node[0] == "^":
        return (_at_least_two(node[1]) or surely_large(node[1])) and (_at_least_two(node[2]) or surely_large(node[2]))
    return False


def _at_least_two(node: Node) -> bool:
    try:
        value = evaluate(node, {})
    except Undefined:
        return False
    return isinstance(value, Fraction) and value >= 2


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > _MAX_BITS or value.denominator.bit_length() > _MAX_BITS:
        raise TooLarge("a number is too large")
    return value


def _whole(value: Any) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    """Returns a non-negative number's root where it is rational."""
    top, bottom = _integer_root(value.numerator, degree), _integer_root(value.denominator, degree)
    return None if top is None or bottom is None else Fraction(top, bottom)


def _integer_root(value: int, degree: int) -> int | None:
    if degree == 1 or value in (0, 1):
        return value
    if degree == 2:
        root = math.isqrt(value)
        return root if root * root == value else None
    if value.bit_length() > 1000:
        return None
    guess = round(value ** (1 / degree)) if value.bit_length() < 1000 else 0
    return next((g for g in (guess - 1, guess, guess + 1) if g >= 0 and g**degree == value), None)
