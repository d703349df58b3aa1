"""What the licences of a run's sources allow to publish."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from mmcurate.errors import RunError, SettingsError, did_you_mean

_FREE = re.compile(
    r"apache-2\.0|mit|bsd(-[23]-clause)?|isc|unlicense|cc0-1\.0|cc-by-(2\.[05]|[34]\.0)|cc-by-sa-[34]\.0|odc-by|odbl|pddl"
    r"|cdla-permissive-[12]\.0|cdla-sharing-1\.0|c-uda"
)
"""May be passed on by anybody; under the Hub's names."""
_NON_COMMERCIAL = re.compile(r"cc-by-nc-(sa-)?[234]\.0")
"""May be passed on for other than commercial use, so the card says it."""
_FORBIDDEN = re.compile(
    r"(?<![a-z])nd(?![a-z])|no-?deriv|(?:no|not)-(?:be-used-)?(?:for-|as-)?(?:a-)?train|eval\w*-only|test-only|no-re?distrib|not-redistrib"
    r"|(?:no|not)-(?:be-|to-be-)?(?:re-?)?distribut|re-?distribution-(?:is-)?(?:not|prohib|forbid)|not-to-be-used-(?:for|in)-(?:a-)?train"
    r"|all-rights-reserved|proprietary"
)
"""No changed versions, no training on it, no passing on: each rules out a training set for others."""
_LIMITED = re.compile(r"(?<![a-z])nc(?![a-z])|non-?commercial|research|academic")


def _name(licence: str | None) -> str:
    """Returns a licence as the Hub would spell it: "CC BY-SA 4.0" is "cc-by-sa-4.0", "Apache License 2.0" is "apache-2.0"."""
    name = re.sub(r"[\s_/]+", "-", (licence or "").strip().lower())
    name = re.sub(
        r"^(the-)?(mit|isc|apache)-licen[cs]e", r"\2", re.sub(r"^(apache.*?)-(version-)?2(\.0)?$", "apache-2.0", name)
    )
    return "cc0-1.0" if name in ("cc0", "cc0-1.0-universal") else name


def hub_name(licence: str | None) -> str:
    """Returns a licence's name on the Hub, "other" where it has none there, "unknown" where there is no licence."""
    name = _name(licence)
    return name if _FREE.fullmatch(name) or _NON_COMMERCIAL.fullmatch(name) else "other" if name else "unknown"


def allows(licence: str | None) -> str:
    """Returns what a licence allows: "free", "non-commercial", "unknown" or "forbidden"."""
    name = _name(licence)
    if _FREE.fullmatch(name):
        return "free"
    if _NON_COMMERCIAL.fullmatch(name):
        return "non-commercial"
    if _FORBIDDEN.search(name):
        return "forbidden"
    return "non-commercial" if _LIMITED.search(name) else "unknown"


def check(counts: Mapping[tuple[str, str | None], int], *, private: bool, licence_ok: Collection[str]) -> None:
    """Checks that rows of these sources and licences may be published.

    Args:
        counts: how many rows there are of each source and licence.
        private: nobody else will see them: then only what is forbidden is refused.
        licence_ok: licences and sources that the user has cleared.

    Raises:
        RunError: some may not; the message says which.
        SettingsError: `licence_ok` names something that isn't there.
    """
    known = {name for source, licence in counts for name in (source, licence) if name}
    for name in licence_ok:
        if name not in known:
            raise SettingsError(
                f"licence_ok names {name!r}, no licence or source of this run{did_you_mean(name, known)}"
            )
    bad = {
        (source, licence): n
        for (source, licence), n in counts.items()
        if allows(licence) in (("forbidden",) if private else ("forbidden", "unknown"))
        and not {source, licence} & set(licence_ok)
    }
    if bad:
        told = "; ".join(
            f"{n:,} rows of {s!r} ({li!r})" if li else f"{n:,} rows of {s!r} (no licence is known)"
            for (s, li), n in bad.items()
        )
        where = "" if private else " to a public repository"
        raise RunError(
            f"not pushed{where}: the licence forbids it or isn't known: {told}. Leave them out of the run's source, or, where you may "
            f"publish them, name the licences or sources in licence_ok=[...]"
            + ("" if private else ", or push with private=True")
        )
