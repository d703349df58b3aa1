"""Reading sentences: what they state, and whether they state it at all."""

from __future__ import annotations

import re

from mmcurate.verify.number import parse_number
from mmcurate.verify.text import unwrap
from mmcurate.verify.units import parse_unit
from mmcurate.verify.when import parse_when

UNSURE = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|neither|nor|cannot|unable|impossible|unlikely|hardly"
    r"|lacks?|lacking|excludes?|excluded|eliminate[ds]?|eliminating"
    r"|rule[sd]? out|ruling out|contradicts?|wrong|incorrect|false|mistaken?|doubt|doubtful|instead|rather than|unlike|if|whether|unless|might"
    r"|maybe|perhaps|suppose|assuming|unsure|uncertain|unknown|tempting|least likely|zero chance|zero of|unclear|naive|student's"
    r"|some (?:may|might|people)|fails? to|everything but|anything but|all but|except|lied|used to|asked|guess|either)\b"
    r"|n't\b|[?？]|不|没|非|错误|无法|如果|是否|未必|可能",
    re.I,
)
"""A sentence with one of these doesn't plainly state its answer."""
COMPARES = re.compile(
    r"\b(?:than|at least|at most|up to|half|twice|double|triple|thirds?|quarters?|between|from|except|but|without|nearly|almost|close to"
    r"|over|under|above"
    r"|below|before|after|exceeds?|falls? short|multiples?|or|per|each other|out of|range[sd]?|squared|cubed|plus|minus|times|tenths?"
    r"|hundredths?|thousandths?"
    r"|factorial|root|square of|cube of|reciprocal|inverse|opposite|negative|log|logarithm|sine|cosine|tangent|complement|denominator|numerator"
    r"|power|to the|less"
    r"|rejected|loss|drop|decrease|reduction|decline|million|billion|thousand|hundred|more|fewer|wrong|lakh|crore|century|bc|aged?"
    r"|only goes|ends? at)\b|以上|以下|左右|至少|至多|大于|小于|不到|不足|超过|减少|下降|折|成",
    re.I,
)
_MARK = re.compile(r"^(?:\d+[.)]|[-*•])\s+")  # of an item in a list
CONDITION = re.compile(r"^(?:if|when|since|because|although|while|though)\b[^,]{1,150},\s*", re.I)
"""What may stand before a statement: "If we add them, the total is 12"."""
SO = re.compile(r"^(?:\W|\b(?:so|therefore|thus|hence|then|in conclusion|overall)\b)*", re.I)
"""What a conclusion begins with."""
_REFERS = re.compile(
    r"\b(?:figure|fig\.|page|step|table|question|problem|part|chapter|example|case|option|row|column|equation|eq\.|exercise|section|number"
    r"|no\.|year|in|by|method"
    r"|rule|theorem|lemma|choice)\s*[(#]?\s*$",
    re.I,
)
_COPULA = (
    r"=|≈|\\approx|[:：](?!\d)|\b(?:is|it's|are|was|were|equals?|equal to|has|have|had|costs?"
    r"|gets?|makes?|made|needs?|earns?|earned|pays?|paid|shows?|reads?|be|becomes?|gives?|totals?|(?:increase|decrease|grow|rise|fall"
    r"|drop)(?:s|d)? by)\b"
    r"|为|是|有|得|剩"
)
_DENIED_NUMBER = re.compile(r"\bnot\s+-?\d+(?:[.,]\d+)*(?=\s+(?:which|but)\b|,)", re.I)  # "not 10 but 12"
_STATES_NUMBER = re.compile(
    rf"^(?P<head>.*(?:{_COPULA}))\s*(?:(?:equal to|about|approximately|around|roughly|exactly|only|just|a total of|worth|大约|约)\s+)?(?P<tail>.+)$",
    re.S | re.I,
)
_CUT = re.compile(
    r"[,;，；](?=\s|[^\d])|\s\(|\s(?:which|with|since|because|as|in total|in all|altogether|left|remaining|when|where"
    r"|while|and|after|for|on|in|at|from|of|per)\b|[。]"
)
_OPERATES = re.compile(r"\\|[\^{}=≈<>≤≥≠±∓√∛∞π!²³⁰¹⁴-⁹½¼¾×÷∈∪]|\d\s*:\s*\d|\+/-")
_ANOTHER = re.compile(
    r"(?:=|\b(?:is|are|was|were|has|have|had)\b|有|为|是)\s*\$?-?\d[\d.,]*\s*(?:[^\W\d]+\s*){0,3}(?:,|;|，|；|\band\b|\bor\b|或|和|\bwhile\b|\bwhereas\b)",
    re.I,
)
_AND_NUMBER = re.compile(
    r"\s*(?:[,;，；]\s*)?(?:(?:and|or|和|或)\s+)?(?:(?:[A-Za-z]\w?\s*=\s*)?-?\d|a half|a quarter)|\s*(?:when|where|while|for)\b.*\d",
    re.I | re.S,
)
_STRONG = re.compile(r"\*\*\s*([^*\n]*\d[^*\n]*?)\s*\*\*|\\boxed\{([^{}]*)\}")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_.,/:])[-−]?[$£€¥]?\d[\d,]*(?:\.\d+)?\s?%?(?![A-Za-z0-9_^/:]|[.,]\d)")


def closing_number(sentence: str) -> str | None:
    """Returns the number, with its unit, that a sentence states: "She has 5 apples", "the total is 12 cm, as shown".

    None where it denies, asks, compares, supposes or refers ("step 5"), or where several numbers could be meant.
    """
    text = CONDITION.sub("", _DENIED_NUMBER.sub("", _MARK.sub("", sentence.strip())))
    if len(text) > 600 or UNSURE.search(text):
        return None
    strong = [(m[1] or m[2]).rstrip(".:") for m in _STRONG.finditer(text)]
    if len(strong) == 1 and parse_number(strong[0]):
        return strong[0]
    bare = re.sub(r"[*`$]|\\[()\[\]]|\\(?=\$)", "", re.sub(r"(?<=[A-Za-z])!+$", "", text.rstrip(" .。*`"))).strip()
    if "\\" in bare:
        return None
    stated = _STATES_NUMBER.match(bare)
    if stated and not re.search(r"\d\s*$", stated["head"]):
        if _ANOTHER.search(stated["head"]):
            return None  # "x = 1 or x = 2", "he has 15, and she has 20"
        tail = stated["tail"]
        cut = _CUT.search(tail)
        if cut and _AND_NUMBER.match(tail[cut.start() :]):
            return None  # "3 and 5"
        for said in (tail, tail[: cut.start()] if cut else tail):
            said = re.sub(r"^\((-?[\d.,]+)\)", r"\1", said.strip())
            if said and parse_number(said):
                return said
    if COMPARES.search(bare) or _OPERATES.search(bare):
        return None
    numbers = list(_NUMBER.finditer(bare))
    if (
        len(numbers) != 1
        or len(re.findall(r"\d+(?:[.,]\d+)*", bare)) != 1
        or not re.search(r"[A-Za-z\u4e00-\u9fff]{2}", bare)
    ):
        return None
    if _REFERS.search(bare[: numbers[0].start()]):
        return None
    after = re.match(r"\s*([A-Za-z°]+)", bare[numbers[0].end() :])
    unit = after[1] if after and parse_unit(after[1]) else ""
    return f"{numbers[0][0].strip()} {unit}".strip().rstrip(",")


def closing_time(sentence: str) -> str | None:
    """Returns the time of day or date that a sentence states: "The clock shows 12:30"."""
    if len(sentence) > 400 or UNSURE.search(sentence):
        return None
    bare = re.sub(r"[*`$]|\\[()]", "", sentence).strip().rstrip(".。!")
    match = re.match(
        r"^.*\b(?:is|was|are|shows?|reads?|says?|at|on|it's|be|displays?"
        r"|indicates?|[:：]\s)\s+(?:a(?=\s+quarter)\s+|about\s+|exactly\s+)?(?P<tail>.+)$",
        bare,
        re.I | re.S,
    )
    tails = [match["tail"]] if match else []
    tails += [re.split(r",\s(?=[a-z])", t)[0] for t in tails]
    return next((t for t in tails if parse_when(t)), None)


_FORMULA = re.compile(r"\$[^$]+\$|\\\(.+?\\\)|\\\[.+?\\\]", re.S)
_STATES = re.compile(
    r"^(?:.*(?:\b(?:is|it's|are|was|were|be|equals?|equal to|gets?|obtain|have|has|find|found|yields?|gives?|becomes?|as|(?:simplifies"
    r"|reduces|evaluates) to|called|named|represents?|that|thus|therefore|so|hence|then|shows?|to be"
    r"|answer|solution)\b[\s,]*|[:：](?!\d)\s*|为|是|得)(?:(?:about|approximately|exactly|only|a total of|given by)\s+)?)(?P<tail>\S.*)$",
    re.S | re.I,
)
_OUR_ANSWER = re.compile(
    r"\s*,?\s*\b(?:is|as) (?:the|our) (?:final |correct |required |desired )?(?:answer|solution|result|solution set)\s*$",
    re.I,
)


def stated(text: str) -> str | None:
    """Returns the formula or words that a sentence comes to: "Thus $x > 2$ is our answer." gives "$x > 2$".

    None where it denies or supposes, or where nothing follows "is", "get", ":" and the like.
    """
    bare = _OUR_ANSWER.sub("", unwrap(text).rstrip(" .。"))
    outside = re.sub(r"\$[^$]*\$|\\\(.*?\\\)", " ", bare)
    if UNSURE.search(outside):
        return None
    formulas = _FORMULA.findall(bare)
    match = _STATES.match(_FORMULA.sub("\x04", bare))
    if match:
        kept = formulas[len(formulas) - match["tail"].count("\x04") :]
        return re.sub("\x04", lambda _: kept.pop(0), match["tail"]).strip()
    return bare if bare != unwrap(text).rstrip(" .。") else None


_KNOWN_WORDS = frozenset(
    re.findall(
        r"\w+",
        "sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan log exp lim max min gcd lcm mod sqrt frac infty infinity alpha beta gamma delta theta "
        "lambda sigma omega phi psi rho tau eta and choose",
    )
)


def has_prose(text: str) -> bool:
    """Whether words stand before or within a formula; words behind it may be its unit."""
    plain = re.sub(
        r"\\(?:text|mathrm|operatorname|textbf|mbox|begin|end|mathbf|left|right|boxed)\s*\{[^{}]*\}|\\[A-Za-z]+",
        " 0 ",
        text,
    )
    found = [
        m
        for m in re.finditer(r"[A-Za-z]{3,}|[\u4e00-\u9fff]{2,}", plain)
        if m[0].lower() not in _KNOWN_WORDS and (not m[0].isascii() or m[0].islower() or m[0].istitle())
    ]
    if re.search(r"\b(?:is|are|was|were|has|have|had|so|thus|hence)\b", plain, re.I):
        return True
    return any(re.search(r"\S", plain[m.end() :]) and re.search(r"[\d=<>^(]", plain[m.end() :]) for m in found) or (
        bool(found) and not re.search(r"[\d=<>^]", plain)
    )


RETRACTS = re.compile(
    r"\b(?:wait\b|scratch that|let me (?:re-?check|reconsider|correct|re-?do|re-?examine)"
    r"|(?:i|we) (?:made|have made) (?:a|an) (?:mistake|error)|correction\s*:"
    r"|that(?:'s| is| was) (?:wrong|incorrect|not right|a mistake)|actually,? (?:no|it|that|the)\b|which is (?:wrong|incorrect|false)"
    r"|but i doubt|is really\b|it's really\b)",
    re.I,
)
"""What takes an answer back."""
_FOREIGN = re.compile(
    r"\b(?:wrong|incorrect|not|never|another|tempting|naive|nobody(?:'s)?|student(?:'s|s')?|mistake|whether|think|say|guess|would|were"
    r"|check|verify|confirm|common|"
    r"this|other)\b|n't\b|(?:不|错误的?)$",
    re.I,
)


def is_foreign(before: str) -> bool:
    """Whether what stands before "answer is" makes it somebody else's, or no answer: "the wrong answer is"."""
    clause = re.split(r"[.!?。！？\n;:]", before[-120:])[-1]
    return bool(_FOREIGN.search(clause))


_POLITE = re.compile(
    r"(?:\A|(?<=[.!?。\n]))\s*(?:[*_]{0,2})(?:I hope (?:this|it|that)|(?:Please )?(?:feel free|let me know)|Hope (?:this|it|that)|Is there anything"
    r"|If you (?:have|need|would like)|Do you (?:have|need|want)|Would you like|Thank(?:s| you)|Good luck|You're welcome|Happy to help"
    r"|I'm (?:here|happy|glad)|Please note|希望|如果您?还?有)[^\n]*?(?:[.!?。！？]|$)[\s*_)]*\Z",
    re.I,
)


def without_politeness(text: str) -> str:
    """Returns a text without what chat models close with: "I hope this helps! Let me know if ..."."""
    for _ in range(4):
        tail = max(0, len(text) - 600)
        match = _POLITE.search(text, tail)
        if not match or match.start() == 0:
            return text.strip()
        text = text[: match.start()]
    return text.strip()


def sentences(text: str) -> list[str]:
    """Returns the sentences of a text's end, at most 2,000 characters of it."""
    text = re.sub(r"^(\s*\d+)\.\s", r"\1) ", text[-2000:], flags=re.M)
    parts = re.split(
        r"\n+|(?<=[^\d\s][.!?。！？])\s+|(?<=\d[.!?])\s+(?=[A-Z\\$*])|(?<=\$\$)\s+(?=[A-Z])|(?<=\\\])\s+(?=[A-Z])|(?<=[。！？])",
        text,
    )
    return [part.strip() for part in parts if part and part.strip()]
