r"""The tokens of mathematics: "2\,\mathrm{cm}" is a number and a text, "xy" two symbols, "AB" one, "sin" a function."""

from __future__ import annotations

import re

Token = tuple[str, str]
"""Its kind ("num", "sym", "fn", "text", "command", "op", "rel", "sep", "open", "close", "sign", "upright") and its text."""


class Unreadable(ValueError):
    """A text isn't mathematics that this reader knows."""


class TooDeep(Unreadable):
    """A text is too long, or nested too deeply, for anyone to read in a short time."""


FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        "sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan arccot ln exp lg log max min gcd lcm det sgn",
    )
)
ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "tg": "tan", "ctg": "cot", "arctg": "arctan"}
GREEK = frozenset(
    re.findall(
        r"\w+",
        "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho varrho sigma "
        "tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega pi hbar ell "
        "infty emptyset varnothing triangle angle partial nabla aleph Re Im square bigcirc diamond star bullet circ "
        "prime",
    )
)
_GREEK_SIGNS = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "θ": "theta", "λ": "lambda", "μ": "mu", "π": "pi",
    "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "ω": "omega", "∞": "infty", "∅": "emptyset", "Δ": "Delta", "Ω": "Omega",
    "△": "triangle", "∠": "angle", "ℓ": "ell", "ϕ": "phi", "η": "eta", "ξ": "xi", "ψ": "psi",
}  # fmt: skip
_RELATIONS = {
    "=": "=", "<": "<", ">": ">", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "∈": "in", "≡": "==", "∥": "parallel", "⊥": "perp",
    "\\neq": "!=", "\\ne": "!=", "\\leq": "<=", "\\le": "<=", "\\leqslant": "<=", "\\geq": ">=", "\\ge": ">=", "\\geqslant": ">=",
    "\\lt": "<", "\\gt": ">", "\\approx": "~", "\\simeq": "~", "\\thickapprox": "~", "\\doteq": "~", "\\in": "in", "\\notin": "notin",
    "\\equiv": "==", "\\cong": "cong", "\\sim": "sim", "\\subset": "subset", "\\subseteq": "subset", "\\to": "to",
    "\\rightarrow": "to", "→": "to", "\\mapsto": "to", "\\parallel": "parallel", "\\perp": "perp", "\\propto": "propto",
    ">=": ">=", "<=": "<=", "!=": "!=", "==": "=", "=>": "to", "->": "to", ":=": "=", "\\Rightarrow": "to", "\\implies": "to",
    "\\iff": "iff", "\\Leftrightarrow": "iff",
}  # fmt: skip
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|textnormal|textsf|texttt|mbox|hbox|mathrm|operatorname|rm|mathit|mathsf|unit|si|emph)\s*\{([^{}]*)\}"
)
_STYLE = re.compile(
    r"\\(?:left|right|[Bb]igg?[lrm]?|displaystyle|textstyle|scriptstyle|limits|nolimits|mathstrut|strut|allowbreak|nonumber|hspace\*?\s*\{[^{}]*\}"
    r"|phantom\s*\{[^{}]*\}|label\s*\{[^{}]*\}|tag\*?\s*\{[^{}]*\}|hline|boldsymbol|mathbf|bm|bf|mathcal|mathscr|mathfrak|it|underline"
    r"|mathopen|mathclose|mathord)"
    r"(?![A-Za-z])\s*\.?(?=.|$)",
    re.S,
)
_TOKEN = re.compile(
    r"\s*(?:(?P<num>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+\.\d+|\.\d+|\d+\.?(?=$|[^\d.])|\d+)|(?P<command>\\[A-Za-z]+|\\.)|(?P<text>\x01\d+\x02)"
    r"|(?P<rel>>=|<=|!=|==|=>|->|:=)|(?P<power>\*\*)|(?P<word>[A-Za-z]+)|(?P<sign>\S))",
    re.S,
)
_SPACES = re.compile(
    r"\\[,;:!> ]|\\q?quad|\\(?:enspace|thinspace|medspace|thickspace|nobreakspace)(?![A-Za-z])|[~\u00a0\u2009\u202f]"
)
_UNIT_WORD = frozenset(
    re.findall(
        r"\w+",
        "cm mm km dm nm kg mg ml cc ft yd mi lb lbs oz hr min sec ms mph kph Hz kHz MHz GHz kJ MJ kW MW kN kPa MPa Pa "
        "mol eV keV MeV mV kV mA rad deg sq cu inch inches feet foot yard yards mile miles dollar dollars cent cents "
        "unit units meter meters metre metres degree degrees percent pct hour hours minute minutes second seconds day "
        "days week weeks month months year years people person students ways gallon gallons square cubic per times "
        "points point mph liters litres radians integers integer numbers number",
    )
)
_ENGLISH = frozenset(
    re.findall(r"\w+", "on no in is it at to of or if he we me my by up us go so do am an as be ok hi oh")
)
_RUNS = ("abcdefgh", "pqrstuvwxyz", "klmn", "ijk", "mnpq", "mnp", "xyzt", "rst")


def tokens_of(text: str, commas: bool) -> list[Token]:
    """Returns the tokens of LaTeX or plain mathematics: styles, spaces and currency signs are gone, words are told from symbols.

    Raises:
        Unreadable: a sign isn't mathematics.
    """
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[1])
        return f" \x01{len(kept) - 1}\x02 "

    text = re.sub(r"[\x01-\x03]", "", text).replace("+/-", "±")
    if "\\begin" in text:
        text = re.sub(r"\\\\(?:\[\s*-?[\d.]+\s*(?:pt|em|ex|mm)\s*\])?", " \x03 ", text)
    else:  # a doubled backslash is a command that was escaped once too often
        text = re.sub(r"\\\\(?=[A-Za-z{}%$,;!])", r"\\", text).replace("\\\\", " ")
    text = text.replace("{,}", ",")
    text = re.sub(r"(?<=\d),\\!\s*(?=\d{3})", ",", text)
    text = re.sub(r"\\(?:d|t|c)frac(?![A-Za-z])", r"\\frac", text)
    text = _SPACES.sub(" ", text).strip().removesuffix("\\")
    for _ in range(2):
        text = _TEXT.sub(keep, text)
    text = _STYLE.sub(" ", text)
    text = re.sub(r"\\(?:mathbb|Bbb)\s*\{?\s*([A-Z])\s*\}?", lambda m: f" \x01{_keep(kept, 'set ' + m[1])}\x02 ", text)
    text = text.replace("\\$", " ").replace("$", " ").replace("€", " ").replace("£", " ")
    out: list[Token] = []
    depth, at = 0, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            break
        at = match.end()
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "num" and "," in value and (depth or not commas):
            head, *rest = value.split(",")
            out.append(("num", head))
            for part in rest:
                out += [("sign", ","), ("num", part)]
            continue
        if kind == "num":
            repeats = value.endswith(".") and re.match(r"\s*\\(?:overline|dot|bar)\b", text[at:])
            out.append(("num", value.replace(",", "") if repeats else value.replace(",", "").rstrip(".")))
        elif kind == "text":
            _text(kept[int(value[1:-1])], out)
        elif kind == "word":
            _word(value, out)
        elif kind == "rel" or value in _RELATIONS:
            out.append(("rel", _RELATIONS[value]))
        elif kind == "command":
            if value in ("\\{", "\\lbrace"):
                depth += 1
                out.append(("open", "\\{"))
            elif value in ("\\}", "\\rbrace"):
                depth -= 1
                out.append(("close", "\\}"))
            elif value in ("\\cdot", "\\times", "\\ast", "\\cdotp"):
                out.append(("op", "*"))
            elif value == "\\div":
                out.append(("op", "/"))
            elif value in ("\\pm", "\\mp"):
                out.append(("op", value))
            elif value in ("\\land", "\\wedge", "\\lor", "\\vee"):
                raise Unreadable("a logical sign")
            elif value in ("\\%",):
                out.append(("sign", "%"))
            elif value in ("\\ldots", "\\dots", "\\cdots"):
                out.append(("sym", "..."))
            elif value in ("\\lvert", "\\rvert", "\\vert", "\\mid"):
                out.append(("sign", "|"))
            elif value == "\\_":
                raise Unreadable("a blank")
            else:
                out.append(("command", value))
        elif kind == "power":
            out.append(("sign", "^"))
        elif value in "([":
            depth += 1
            out.append(("open", value))
        elif value in ")]":
            depth -= 1
            out.append(("close", value))
        elif value == "{":
            depth += 1
            out.append(("sign", value))
        elif value == "}":
            depth -= 1
            out.append(("sign", value))
        elif value == "\x03":
            out.append(("command", "\\\\"))
        elif value in "*×·∙⋅":
            out.append(("op", "*"))
        elif value in "/÷":
            out.append(("op", "/"))
        elif value in "+-−–":
            out.append(("op", "+" if value == "+" else "-"))
        elif value == "±":
            out.append(("op", "\\pm"))
        elif value in "°º˚":
            out.append(("command", "\\degree"))
        elif value in ",;，；、":
            out.append(("sign", ";" if value in ";；" else ","))
        elif value in "∪∩":
            out.append(("command", "\\cup" if value == "∪" else "\\cap"))
        elif value == "√":
            out.append(("command", "\\sqrt"))
        elif value in _GREEK_SIGNS:
            out.append(("command", "\\" + _GREEK_SIGNS[value]))
        elif value in "^_!'%|:：&.\"′":
            out.append(("sign", {"：": ":", "′": "'"}.get(value, value)))
        elif "\u4e00" <= value <= "\u9fff":
            end = re.compile(r"[\u4e00-\u9fff]+").match(text, at - 1)
            assert end
            at = end.end()
            _text(end[0], out)
        else:
            raise Unreadable(f"{value!r} isn't mathematics")
    return out


def _keep(kept: list[str], text: str) -> int:
    kept.append(text)
    return len(kept) - 1


def _text(text: str, out: list[Token]) -> None:
    """Adds the tokens of words: "and" separates, one letter is a symbol, the rest is a unit or a word."""
    said = text.strip(" .,;:")
    low = said.lower()
    if low in ("and", "or", "和", "或", "与", "且", "及", "或者", "and also"):
        out.append(("sep", "and" if low in ("and", "和", "与", "且", "及", "and also") else "or"))
    elif low.startswith(("and ", "or ")):
        out.append(("sep", low.split()[0]))
        _text(said.split(None, 1)[1], out)
    elif not said:
        out.extend([("sign", ",")] if "," in text else [])
    elif re.fullmatch(r"[+-]?\d+(\.\d+)?", said):
        if said[0] in "+-":
            out.append(("op", said[0]))
        out.append(("num", said.lstrip("+-")))
    elif low in FUNCTIONS:
        out.append(("fn", low))
    elif re.fullmatch(r"[A-Za-z]", said) and text == said:
        out.append(("upright", said))
    elif re.fullmatch(r"\([A-Z]\)", said):
        out.append(("upright", said[1]))
    else:
        out.append(("text", said))


def _word(word: str, out: list[Token]) -> None:
    """Adds the tokens of a run of letters: functions, Greek names, products of letters, units, or words."""
    if word in ("and", "or"):
        out.append(("sep", word))
        return
    name = ALIASES.get(word, word)
    if name in FUNCTIONS:
        out.append(("fn", name))
    elif name in (
        "sqrt",
        "cbrt",
        "frac",
        "pm",
        "cdot",
        "times",
        "le",
        "leq",
        "ge",
        "geq",
        "infty",
        "infinity",
        "oo",
        "choose",
        "binom",
    ):
        if name in ("infinity", "oo"):
            name = "infty"
        command = "\\" + name
        if command in _RELATIONS:
            out.append(("rel", _RELATIONS[command]))
        elif name in ("cdot", "times"):
            out.append(("op", "*"))
        elif name == "pm":
            out.append(("op", command))
        else:
            out.append(("command", command))
    elif (
        len(name) > 1
        and name in GREEK
        and name not in ("Re", "Im", "star", "square", "prime", "bullet", "diamond", "angle", "triangle")
    ):
        out.append(("command", "\\" + name))
    elif len(name) == 1:
        out.append(("sym", name))
    elif name in _UNIT_WORD:
        out.append(("text", name))
    elif name.isupper():
        out.append(("sym", name))  # a segment: AB
    elif name in ("dx", "dy", "dt"):
        raise Unreadable("an integral or a derivative")
    elif (len(name) == 2 and name.lower() not in _ENGLISH) or any(name in run for run in _RUNS):
        out.extend(("sym", c) for c in name)
    else:
        split = re.fullmatch(r"([a-z])?(sin|cos|tan|cot|sec|csc|ln|log|sqrt)([a-zA-Z]|pi|theta|alpha|beta)?", name)
        if split:
            for part in split.groups():
                if part:
                    _word(part, out)
        else:
            out.append(("text", name))
