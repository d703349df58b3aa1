r"""Reading mathematics: LaTeX, or plain text such as "x^2/4 + 2sqrt(3)", becomes a tree.

A node is a tuple whose first item names its kind:

    ("num", Fraction, decimals or None)        ("sym", name)               ("call", name, args)
    ("+", terms)  ("*", factors)  ("/", a, b)  ("^", base, exponent)       ("neg", a)  ("pm", a, b)  ("!", a)
    ("fn", name, arg)  ("log", base, arg)      ("root", n, arg)            ("abs", a)
    ("sum" | "prod", symbol, low, high, body)  ("binom", n, k)             ("deg", a)  ("percent", a)
    ("unit", a, text)   ("text", words)        ("based", digits, base)     ("ratio", parts)
    ("rel", sides, signs)                      ("list", items[, "and" | "or"])             ("tuple", open, items, close)
    ("set", items)      ("builder", relation)  ("cup" | "cap" | "minus", a, b)
    ("matrix", rows)

What can't be read whole raises `Unreadable`: nothing is guessed from a part.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Any

from mmcurate.verify.tokens import ALIASES, FUNCTIONS, GREEK, Token, TooDeep, Unreadable, tokens_of

Node = tuple[Any, ...]
MAX_CHARS = 2000
_MAX_DEPTH = 90


def read(text: str, *, commas: bool = True) -> Node:
    r"""Returns the tree of a text.

    Args:
        text: "\frac{1}{2}", "x = 2, y = 3", "[0, 1) \cup \{2\}", "2sqrt(3)".
        commas: whether "1,234" outside brackets is one number; else it is a list of two.

    Raises:
        Unreadable: it isn't mathematics, or is too long or too deep.
    """
    if len(text) > MAX_CHARS:
        raise TooDeep(f"it has {len(text):,} characters")
    return _read(text, commas)


@functools.lru_cache(8192)
def _read(text: str, commas: bool) -> Node:
    tokens = tokens_of(text, commas)
    if not tokens:
        raise Unreadable("nothing is there")
    reader = _Reader(tokens)
    try:
        node = reader.answer()
    except RecursionError:
        raise TooDeep("it is nested too deeply") from None
    if reader.i < len(tokens):
        raise Unreadable(f"{reader.peek()[1]!r} was not expected")
    return node


_STOP = (("sign", "}"), ("sign", "&"), ("command", "\\\\"), ("command", "\\end"))


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.i, self.depth = tokens, 0, 0
        self.bars = 0  # how many absolute values are open
        self.in_set = False  # whether "|" may begin a set's condition

    def peek(self, ahead: int = 0) -> Token:
        at = self.i + ahead
        return self.tokens[at] if at < len(self.tokens) else ("end", "")

    def next(self) -> Token:
        token = self.peek()
        self.i += 1
        return token

    def eat(self, token: Token) -> bool:
        if self.peek() == token:
            self.i += 1
            return True
        return False

    def need(self, token: Token) -> None:
        if not self.eat(token):
            raise Unreadable(f"{token[1]!r} is missing")

    # -- lists and relations

    def answer(self) -> Node:
        """Reads items up to a closing bracket or the end. ";" separates groups where both it and "," stand."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise TooDeep("it is nested too deeply")
        groups: list[list[Node]] = [[]]
        semicolons = False
        joined: set[str] = set()
        while True:
            if self.peek()[0] in ("end", "close") or self.peek() in _STOP:
                break
            if self.peek() == ("sign", "|") and (self.bars or (self.in_set and groups[-1])):
                break
            if self.peek() == ("sign", ","):
                self.i += 1
                continue
            if self.peek()[0] == "sep":
                joined.add(self.next()[1])
                continue
            if self.eat(("sign", ";")):
                semicolons = True
                groups.append([])
                continue
            if self.eat(("sign", ".")):
                if self.peek()[0] not in ("end", "close"):
                    raise Unreadable("a full stop")
                continue
            before = self.i
            groups[-1].append(self.relation())
            if self.i == before:
                raise Unreadable(f"{self.peek()[1]!r} was not expected")
            token = self.peek()
            if token[0] not in ("end", "close", "sep") and token not in (
                *_STOP,
                ("sign", ","),
                ("sign", ";"),
                ("sign", "."),
                ("sign", "|"),
            ):
                # Two formulas side by side: a list without commas is none.
                raise Unreadable(f"{token[1]!r} was not expected")
        self.depth -= 1
        groups = [g for g in groups if g]
        if not groups:
            return ("list", ())
        if semicolons and any(len(g) > 1 for g in groups):
            items: list[Node] = [g[0] if len(g) == 1 else ("tuple", "(", tuple(g), ")") for g in groups]
        else:
            items = [item for g in groups for item in g]
        if len(joined) == 1 and all(item[0] == "rel" for item in items) and len(items) > 1:
            return ("list", tuple(items), joined.pop())
        return items[0] if len(items) == 1 else ("list", tuple(items))

    def relation(self) -> Node:
        sides, signs = [], []
        if self.peek()[0] == "rel":  # "= 5", "> 3"
            sign = self.next()[1]
            if sign in ("=", "~"):
                return self.relation()
            sides.append(("sym", "?"))
            signs.append(sign)
        sides.append(self.ratio())
        while self.peek()[0] == "rel":
            signs.append(self.next()[1])
            if self.peek()[0] in ("end", "close") and signs[-1] in ("=", "~"):
                signs.pop()
                break
            sides.append(self.ratio())
        return ("rel", tuple(sides), tuple(signs)) if signs else sides[0]

    def ratio(self) -> Node:
        parts = [self.union()]
        while self.peek() == ("sign", ":") and self.peek(1)[0] not in ("end", "rel"):
            self.i += 1
            parts.append(self.union())
        return ("ratio", tuple(parts)) if len(parts) > 1 else parts[0]

    def union(self) -> Node:
        node = self.sum()
        while self.peek() in (
            ("command", "\\cup"),
            ("command", "\\cap"),
            ("command", "\\setminus"),
            ("command", "\\backslash"),
        ):
            kind = {"\\cup": "cup", "\\cap": "cap"}.get(self.next()[1], "minus")
            node = (kind, node, self.sum())
        return node

    # -- arithmetic

    def sum(self) -> Node:
        terms: list[Node] = []
        first = True
        while True:
            token = self.peek()
            sign = ""
            if token[0] == "op" and token[1] in ("+", "-", "\\pm", "\\mp"):
                sign = self.next()[1]
            elif not first:
                break
            while self.peek() in (("op", "+"), ("op", "-")):
                sign = "-" if (sign == "-") != (self.next()[1] == "-") else "+"
            if self.peek()[0] in ("end", "close", "sep") and first and sign in ("+", "-"):
                raise Unreadable("a sign alone")
            term = self.term()
            if sign == "-":
                term = ("neg", term)
            elif sign in ("\\pm", "\\mp"):
                term = (sign[1:], term)
            terms.append(term)
            first = False
        node = terms[0] if len(terms) == 1 else ("+", tuple(terms))
        if self.peek() == ("sign", "'"):
            raise Unreadable("a prime")
        return node

    def term(self) -> Node:
        node = self.power()
        while True:
            token = self.peek()
            if token == ("op", "*"):
                self.i += 1
                node = _product(node, self.signed())
            elif token == ("op", "/"):
                self.i += 1
                divisor = self.signed()
                # "1/2x" is (1/2)x to some and 1/(2x) to others: what people mean by "1/2 x" is the first
                node = ("/", node, divisor)
            elif token == ("command", "\\choose"):
                self.i += 1
                node = ("binom", node, self.power())
            elif token[0] == "text" or token == ("sign", '"'):
                return ("unit", node, self.unit())
            elif self.begins_factor(token):
                factor = self.power()
                if _is_mixed(node, factor):
                    node = ("+", (node, factor))
                else:
                    node = _product(node, factor)
            else:
                return node

    def signed(self) -> Node:
        if self.peek() in (("op", "-"), ("op", "+")):
            return ("neg", self.signed()) if self.next()[1] == "-" else self.signed()
        return self.power()

    def begins_factor(self, token: Token) -> bool:
        kind, value = token
        if kind in ("num", "sym", "fn", "upright"):
            return True
        if kind == "open":
            return True
        if kind == "command":
            return value not in (
                "\\cup",
                "\\cap",
                "\\setminus",
                "\\backslash",
                "\\rfloor",
                "\\rceil",
                "\\rangle",
                "\\end",
                "\\degree",
                "\\\\",
                "\\choose",
                "\\pmod",
                "\\bmod",
                "\\mod",
                "\\over",
            )
        if token == ("sign", "{"):
            return True
        return token == ("sign", "|") and not self.bars and not self.in_set

    def unit(self) -> str:
        """Reads a unit: what is left of an item."""
        parts = []
        while True:
            kind, value = self.peek()
            if kind in ("end", "close", "rel", "sep") or (kind, value) in (*_STOP, ("sign", ","), ("sign", ";")):
                break
            if kind == "sign" and value == "{":
                self.i += 1
                parts.append(self.unit())
                self.need(("sign", "}"))
                continue
            if kind == "op" and value not in ("/", "*", "-"):
                break
            if kind == "command" and value not in ("\\degree",):
                raise Unreadable(f"{value} in a unit")
            self.i += 1
            parts.append({"\\degree": "°"}.get(value, value))
        return re.sub(r"\s*([\^/*])\s*", r"\1", " ".join(parts)).strip(" .")

    def power(self) -> Node:
        node = self.atom()
        while True:
            token = self.peek()
            if token == ("sign", "^"):
                self.i += 1
                if self.peek() in (("command", "\\circ"), ("command", "\\degree")):
                    self.i += 1
                    node = ("deg", node)
                    continue
                if (
                    self.peek() == ("sign", "{")
                    and self.peek(1) in (("command", "\\circ"), ("command", "\\degree"))
                    and self.peek(2) == ("sign", "}")
                ):
                    self.i += 3
                    node = ("deg", node)
                    continue
                if self.peek()[1] in ("\\prime", "'", "*", "+") and self.peek()[0] != "num":
                    node = _named(node, self.next()[1])
                    continue
                exponent = self.argument()
                if exponent[0] == "sym" and exponent[1] in ("...",):
                    raise Unreadable("an exponent")
                of = re.fullmatch(r"C_(\d+)", node[1]) if node[0] == "sym" else None
                if of and exponent[0] == "num" and 0 <= exponent[1] <= int(of[1]):
                    node = ("binom", _number(of[1]), exponent)  # as it is written in Chinese schools
                elif node[0] == "sym" and node[1] in "fghFG" and exponent[0] == "neg" and self.peek() == ("open", "("):
                    node = ("call", node[1] + "^-1", self.group())
                else:
                    node = ("^", node, exponent)
            elif token == ("command", "\\degree"):
                self.i += 1
                node = ("deg", node)
            elif token == ("sign", "!"):
                self.i += 1
                node = ("!", node)
            elif token == ("sign", "%"):
                self.i += 1
                node = ("percent", node)
            elif token == ("sign", "'"):
                self.i += 1
                node = _named(node, "'")
            else:
                break
        if self.peek() == ("sign", "_"):
            raise Unreadable("an index")
        return node

    def argument(self) -> Node:
        """Reads what a command or "^" applies to: one group, one digit, or one token."""
        token = self.peek()
        if token == ("sign", "{"):
            return self.braces()
        if token[0] == "num" and self.tokens[self.i - 1][1] != "^":
            digits = self.next()[1]
            if len(digits) > 1 and "." not in digits:  # \frac12: one digit each
                self.i -= 1
                self.tokens = [
                    *self.tokens[: self.i],
                    ("num", digits[0]),
                    ("num", digits[1:]),
                    *self.tokens[self.i + 1 :],
                ]
                self.i += 1
                digits = digits[0]
            return _number(digits)
        if token == ("op", "-"):
            self.i += 1
            return ("neg", self.argument() if self.peek()[0] != "num" else _number(self.next()[1]))
        return self.atom()

    def braces(self) -> Node:
        self.need(("sign", "{"))
        if self.eat(("sign", "}")):
            return ("list", ())
        node = self.answer()
        if self.eat(("command", "\\over")):
            node = ("/", node, self.answer())
        self.need(("sign", "}"))
        return node

    def atom(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise TooDeep("it is nested too deeply")
        node = self._atom()
        self.depth -= 1
        return node

    def _atom(self) -> Node:
        kind, value = self.next()
        if kind == "num":
            return self.number(value)
        if kind in ("sym", "upright"):
            return self.symbol(value)
        if kind == "fn":
            return self.function(value)
        if kind == "text":
            return ("text", value)
        if kind == "open":
            return self.brackets(value)
        if (kind, value) == ("sign", "{"):
            self.i -= 1
            return self.braces()
        if (kind, value) == ("sign", "|"):
            self.bars += 1
            node = self.sum()
            self.bars -= 1
            self.need(("sign", "|"))
            return ("abs", node)
        if kind == "op" and value in ("+", "-", "\\pm", "\\mp"):
            self.i -= 1
            return self.sum()
        if kind == "command":
            return self.command(value)
        raise Unreadable(f"{value!r} was not expected" if value else "it ends too soon")

    def number(self, digits: str) -> Node:
        node = _number(digits)
        if "." in digits and self.peek() in (("command", "\\overline"), ("command", "\\dot"), ("command", "\\bar")):
            return self.repeating(digits)
        if self.peek() == ("sign", "_"):
            self.i += 1
            base = self.argument() if self.peek() == ("sign", "{") else _number(self.next()[1])
            if base[0] != "num" and base[0] != "text":
                raise Unreadable("a base")
            return ("based", digits, str(base[1]))
        return node

    def repeating(self, digits: str) -> Node:
        again = ""
        while self.peek() in (("command", "\\overline"), ("command", "\\dot"), ("command", "\\bar")):
            command = self.next()[1]
            self.need(("sign", "{"))
            part = self.next()
            if part[0] != "num":
                raise Unreadable("a repeating decimal")
            self.need(("sign", "}"))
            again += part[1]
            if command == "\\dot" and self.peek()[0] == "num" and self.peek(1) == ("command", "\\dot"):
                again += self.next()[1]
        whole, _, fixed = digits.partition(".")
        scale = Fraction(10) ** len(fixed)
        value = Fraction(int(whole or "0")) + Fraction(int(fixed or "0")) / scale
        value += Fraction(int(again), 10 ** len(again) - 1) / scale
        return ("num", value, None)

    def symbol(self, name: str) -> Node:
        if self.eat(("sign", "_")):
            index = self.index()
            if not isinstance(index, str):
                return ("call", name + "_", (index,))
            name += index
        while self.peek() == ("sign", "'"):
            self.i += 1
            name += "'"
        if self.peek() == ("open", "(") and name.rstrip("'") in (
            "f",
            "g",
            "h",
            "F",
            "G",
            "P",
            "Q",
            "p",
            "q",
            "W",
            "T",
            "S",
            "u",
            "v",
            "y",
        ):
            save = self.i
            try:
                inside = self.group()
            except Unreadable:
                inside = ()
            if inside and (name.rstrip("'") in "fghFGPW" or all(a[0] in ("sym", "num") for a in inside)):
                return ("call", name, inside)
            self.i = save
        return ("sym", name)

    def index(self) -> str | Node:
        """Reads a subscript: "1" and "max" become part of the name, "n" and "n-1" remain trees."""
        if self.peek() == ("sign", "{"):
            node = self.braces()
        else:
            kind, value = self.next()
            if kind not in ("num", "sym", "text", "upright", "command"):
                raise Unreadable("an index")
            node = _number(value) if kind == "num" else ("sym", value.lstrip("\\"))
        if node[0] == "num":
            return f"_{node[1]}"
        if node[0] in ("sym", "text") and node[1] not in "ijkmn":
            return f"_{node[1]}"
        if node[0] in ("list", "*"):
            return "_" + ",".join(str(item[1]) for item in node[1])
        return node

    def group(self) -> tuple[Node, ...]:
        """Reads "(a, b)" as a call's arguments."""
        self.need(("open", "("))
        node = self.answer()
        self.need(("close", ")"))
        return node[1] if node[0] == "list" else (node,)

    def function(self, name: str) -> Node:
        power: Node | None = None
        base: Node | None = None
        for _ in range(2):
            if self.eat(("sign", "_")):
                base = self.braces() if self.peek() == ("sign", "{") else self._one()
            elif self.peek() == ("sign", "^") and self.peek(1) not in (("command", "\\circ"),):
                self.i += 1
                power = self.braces() if self.peek() == ("sign", "{") else self._one()
        if name in ("max", "min", "gcd", "lcm", "det", "sgn"):
            raise Unreadable(name)
        inverse = power is not None and power in (("neg", ("num", Fraction(1), None)), ("num", Fraction(-1), None))
        if inverse and name in ("sin", "cos", "tan"):
            name, power = "arc" + name, None
        if self.peek() == ("open", "(") or self.peek() == ("sign", "{"):
            if self.peek() == ("sign", "{"):
                arg = self.braces()
            else:
                inside = self.group()
                if len(inside) != 1:
                    raise Unreadable(f"{name} of several")
                arg = inside[0]
            # "sin(x)^2" is (sin x)^2
            while self.peek() in (("sign", "^"),) and power is None:
                self.i += 1
                if self.peek() in (("command", "\\circ"), ("command", "\\degree")):
                    self.i += 1
                    arg = ("deg", arg)
                    continue
                power = self.argument()
            if self.peek() == ("command", "\\degree"):
                self.i += 1
                arg = ("deg", arg)
        else:
            arg = self.function_argument()
        if name in ("log", "lg"):
            node: Node = ("log", base, arg) if base is not None else ("fn", "log" if name == "log" else "lg", arg)
        elif base is not None:
            raise Unreadable(f"{name} with an index")
        else:
            node = ("fn", name, arg)
        return node if power is None else ("^", node, power)

    def _one(self) -> Node:
        kind, value = self.next()
        if kind == "num":
            if len(value) > 1 and "." not in value:
                self.tokens = [*self.tokens[: self.i], ("num", value[1:]), *self.tokens[self.i :]]
                value = value[0]
            return _number(value)
        if (kind, value) == ("op", "-"):
            return ("neg", self._one())
        if kind == "sym":
            return ("sym", value)
        if kind == "command":
            return self.command(value)
        raise Unreadable(f"{value!r} was not expected")

    def function_argument(self) -> Node:
        """Reads the argument of a function without brackets: a product up to the next function."""
        if self.peek() == ("op", "-"):
            self.i += 1
            return ("neg", self.function_argument())
        node = self.power()
        while True:
            token = self.peek()
            if token == ("op", "/") and self.peek(1)[0] in ("num", "sym"):
                self.i += 1
                node = ("/", node, self.power())
            elif token[0] in ("num", "sym") or (
                token[0] == "command" and token[1].lstrip("\\") in GREEK and token[1] != "\\degree"
            ):
                node = ("*", (node, self.power()))
            else:
                return node

    def brackets(self, opening: str) -> Node:
        bars, in_set = self.bars, self.in_set
        self.bars, self.in_set = 0, opening == "\\{"
        inside = self.answer()
        self.in_set = in_set
        if self.peek() == ("sign", "|") and opening == "\\{":  # set builder
            self.i += 1
            condition = self.answer()
            self.need(("close", "\\}"))
            self.bars = bars
            return ("builder", condition)
        if opening == "\\{" and inside[0] == "rel" and inside[1][0][0] == "ratio":  # {x: x > 2}
            self.need(("close", "\\}"))
            self.bars = bars
            return ("builder", ("rel", (inside[1][0][1][-1], *inside[1][1:]), inside[2]))
        if opening == "\\{" and inside[0] == "ratio" and len(inside[1]) == 2:
            self.need(("close", "\\}"))
            self.bars = bars
            return ("builder", inside[1][1])
        self.bars = bars
        kind, closing = self.next()
        if kind != "close" or (closing == "\\}") != (opening == "\\{"):
            raise Unreadable("brackets don't match")
        items = inside[1] if inside[0] == "list" else (inside,)
        if opening == "\\{":
            return ("set", items)
        if len(items) == 1 and inside[0] not in ("tuple",):
            if (opening == "[" and closing == "]") or (opening == "(" and closing == ")"):
                return ("group", items[0]) if items[0][0] in ("rel", "list", "text") else items[0]
            raise Unreadable("brackets don't match")
        if not items:
            raise Unreadable("empty brackets")
        return ("tuple", opening, items, closing)

    def command(self, command: str) -> Node:
        name = command[1:]
        if name == "frac":
            top = self.argument()
            return ("/", top, self.argument())
        if name == "sqrt":
            degree: Node = ("num", Fraction(2), None)
            if self.peek() == ("open", "["):
                self.i += 1
                degree = self.answer()
                self.need(("close", "]"))
            if self.peek() == ("open", "("):
                inside = self.group()
                if len(inside) != 1:
                    raise Unreadable("the root of several")
                return ("root", degree, inside[0])
            return ("root", degree, self.argument())
        if name == "cbrt":
            return ("root", ("num", Fraction(3), None), self.argument())
        if name in FUNCTIONS:
            return self.function(name)
        if name in ALIASES:
            return self.function(ALIASES[name])
        if name == "infty":
            return ("sym", "infty")
        if name in ("emptyset", "varnothing"):
            return ("set", ())
        if name in (
            "angle",
            "triangle",
            "overline",
            "overrightarrow",
            "vec",
            "hat",
            "bar",
            "widehat",
            "widetilde",
            "tilde",
            "dot",
            "ddot",
            "overset",
            "measuredangle",
            "odot",
            "square",
            "Box",
        ):
            if name in ("angle", "triangle", "measuredangle", "odot", "square", "Box") and not self.begins_factor(
                self.peek()
            ):
                return ("sym", name)
            inner = self.argument()
            said = (
                inner[1]
                if inner[0] in ("sym", "text")
                else "".join(str(f[1]) for f in _flat(inner) if f[0] in ("sym", "num"))
            )
            if not said:
                raise Unreadable(command)
            if name in ("vec", "overrightarrow") or (name == "overline" and re.fullmatch(r"[A-Z]{2,}", said)):
                return ("sym", said)  # a segment or a vector, however it is marked
            return ("sym", f"{name}:{said}")
        if name in GREEK:
            return self.symbol(name)
        if name in ("binom", "dbinom", "tbinom"):
            top = self.argument()
            return ("binom", top, self.argument())
        if name in ("sum", "prod"):
            return self.big(name)
        if name in ("lfloor", "lceil"):
            inside = self.sum()
            if not self.eat(("command", "\\rfloor" if name == "lfloor" else "\\rceil")):
                raise Unreadable("a floor or ceiling that isn't closed")
            return ("fn", name[1:], inside)
        if name == "langle":
            inside = self.answer()
            if not self.eat(("command", "\\rangle")):
                raise Unreadable("an angle bracket that isn't closed")
            return ("tuple", "(", inside[1] if inside[0] == "list" else (inside,), ")")
        if name in ("|", "Vert", "lVert"):
            inside = self.sum()
            if self.next()[1] not in ("\\|", "\\Vert", "\\rVert"):
                raise Unreadable("a norm that isn't closed")
            return ("call", "norm", (inside,))
        if name == "begin":
            return self.environment()
        if name == "boxed":
            return self.argument()
        if name == "degree":
            return ("deg", ("num", Fraction(1), None))
        raise Unreadable(f"{command} isn't known")

    def big(self, name: str) -> Node:
        symbol = low = high = None
        for _ in range(2):
            if self.eat(("sign", "_")):
                node = self.braces()
                if node[0] != "rel" or node[2] != ("=",) or node[1][0][0] != "sym":
                    raise Unreadable(f"the bounds of \\{name}")
                symbol, low = node[1][0][1], node[1][1]
            elif self.eat(("sign", "^")):
                high = self.braces() if self.peek() == ("sign", "{") else self._one()
        if symbol is None or high is None:
            raise Unreadable(f"the bounds of \\{name}")
        return (name, symbol, low, high, self.term())

    def environment(self) -> Node:
        name = self._braced_name()
        if name == "array":
            if self.peek() == ("sign", "{"):
                while self.next() not in (("sign", "}"), ("end", "")):
                    pass
        elif name.rstrip("*") not in (
            "pmatrix",
            "bmatrix",
            "matrix",
            "vmatrix",
            "Bmatrix",
            "smallmatrix",
            "cases",
            "aligned",
            "align",
        ):
            raise Unreadable(f"\\begin{{{name}}}")
        rows: list[list[Node]] = [[]]
        while True:
            token = self.peek()
            if token == ("command", "\\end"):
                self.i += 1
                self._braced_name()
                break
            if token == ("end", ""):
                raise Unreadable(f"\\begin{{{name}}} isn't closed")
            if token == ("command", "\\\\"):
                self.i += 1
                rows.append([])
            elif token == ("sign", "&"):
                self.i += 1
            else:
                before = self.i
                rows[-1].append(self.answer())
                if self.i == before:
                    raise Unreadable("a matrix")
        made = tuple(tuple(row) for row in rows if row)
        if name in ("cases", "aligned", "align", "align*"):
            items = tuple(item for row in made for item in row if item != ("list", ()))
            return items[0] if len(items) == 1 else ("list", items)
        if not made or len({len(row) for row in made}) > 1:
            raise Unreadable("a matrix whose rows differ in length")
        return ("det", made) if name == "vmatrix" else ("matrix", made)

    def _braced_name(self) -> str:
        self.need(("sign", "{"))
        name = ""
        while not self.eat(("sign", "}")):
            kind, value = self.next()
            if kind == "end":
                raise Unreadable("a name that isn't closed")
            name += value
        return name


def _product(a: Node, b: Node) -> Node:
    return ("*", (*a[1], b)) if a[0] == "*" else ("*", (a, b))


def _number(digits: str) -> Node:
    if len(digits) > 400:
        raise Unreadable(f"a number of {len(digits):,} digits")
    whole, point, fixed = digits.partition(".")
    if not (whole + fixed).isascii() or not (whole + fixed).isdigit():
        raise Unreadable(f"{digits!r} is no number")
    value = Fraction(int(whole + fixed), 10 ** len(fixed))
    return ("num", value, len(fixed) if point and fixed else None)


def _is_mixed(node: Node, factor: Node) -> bool:
    """Whether an integer and a proper fraction stand side by side: 2 1/2."""
    return (
        node[0] == "num"
        and node[2] is None
        and node[1].denominator == 1
        and factor[0] == "/"
        and all(part[0] == "num" and part[2] is None for part in factor[1:])
        and 0 < factor[1][1] < factor[2][1]
        and node[1] != 0
    )


def _named(node: Node, mark: str) -> Node:
    if node[0] == "sym":
        return ("sym", node[1] + mark)
    if node[0] == "call":
        return ("call", node[1] + mark, node[2])
    raise Unreadable("a mark on an expression")


def _flat(node: Node) -> list[Node]:
    if node[0] == "*":
        return [leaf for part in node[1] for leaf in _flat(part)]
    return [node]


def bare(node: Node) -> Node:
    """Returns a tree without the brackets around it."""
    while node[0] == "group":
        node = node[1]
    return node
