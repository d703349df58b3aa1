"""Publishing a run on the Hugging Face Hub: what is kept, and the whole story of what isn't."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmcurate.columns import read_table
from mmcurate.errors import RunError
from mmcurate.export import licences, shards
from mmcurate.export.card import Config, card, scrub
from mmcurate.export.history import Questions, Responses
from mmcurate.export.pictured import FinalSet, Pictured
from mmcurate.export.repository import Repository
from mmcurate.folder import locked
from mmcurate.progress import say
from mmcurate.run import MANIFEST, Run

COMMIT_FILES = 25
"""How many files go into a commit, the Hub advising against more than 100."""
_SETS = (
    ("sft", "final", "to_sft", "a trace of the SFT set"),
    ("rl", "final_rl", "to_rl", "a question of the RL set"),
)
"""Each final set: its config, its folder in the run, what makes it, and what a row is."""
_OURS = re.compile(r"data/[^/]+/[0-9a-f]{20}\.parquet|run\.json|funnel\.json|README\.md|\.gitattributes")


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        url: of the data set.
        commit: the commit that describes it.
        num_files, num_bytes: what was new there.
    """

    url: str
    commit: str
    num_files: int
    num_bytes: int


def push_to_hub(
    run: Run | str | Path,
    repo: str,
    *,
    private: bool = True,
    token: str | None = None,
    revision: str | None = None,
    images: bool = True,
    licence_ok: Sequence[str] = (),
) -> Pushed:
    """Makes a repository of the Hub hold this run, and nothing else of an earlier push.

    Its configs are the final sets (`sft`, and `sft-<source>` where there are several sources; `rl` likewise where `to_rl` made
    one), `questions` and `responses` (every one of the run, with what dropped it); `run.json` and `funnel.json` lie beside them, and the
    card comes last. The SFT set is made where the run has none yet.

    The same call goes on after a kill, and sends nothing twice: a shard's name says what is in it, so what is there is
    left out, and what is there but no longer of the run is removed in the end. Shards are written one at a time into
    `.push` in the run folder and removed when they are sent, so the push takes the room of one, some 500 MB.

    A picture is stored once a row group; of all configs only the final sets have pictures. What a step said that is of a
    benchmark (`match_question`, `match_picture`) stays in the run folder, and so does `report.html`, which shows it.

    Args:
        run: a run, or its folder.
        repo: such as "me/mine"; made where there is none.
        private: whether nobody else may see it. A repository that is there already must be just that.
        token: else that of `hf auth login`.
        revision: a branch, made where there is none; main unless given.
        images: with False no picture leaves the machine, only its hash, and what the source says of it in `metadata`.
        licence_ok: licences, or names of sources, that you may publish though they are unknown (in public) or
            forbid changed versions, training or passing on (anywhere).

    Raises:
        RunError: a licence doesn't allow it; the repository holds something else, or is public where it should be private; the
            Hub refuses, or can't be reached for long.
        RunLocked: another process is pushing this run.
    """
    run = run if isinstance(run, Run) else Run(run)
    if not any(run.state().shard_rows()):
        raise RunError(f"{run.path} has no rows: there is nothing to publish")
    counts = _licences(run)
    licences.check(counts, private=private, licence_ok=licence_ok)
    hub = Repository(repo, token=token, revision=revision)
    hub.make(private=private)
    _refuse_strangers(repo, hub.files())
    staging = run.path / ".push"
    staging.mkdir(exist_ok=True)
    with locked(staging):
        for left_over in staging.glob("*.parquet"):
            left_over.unlink()  # of a push that was killed
        parts = [(part, shards.plan(part.name, part.rows)) for part in _parts(run, images=images)]
        _send_shards(hub, parts, staging)
        sizes = {path: file.size for path, file in hub.files().items()}
        configs = _configs(parts, sizes)
        texts = {
            "funnel.json": json.dumps(run.funnel().to_json(), indent=1, ensure_ascii=False),
            MANIFEST: json.dumps(_manifest(run), indent=1, ensure_ascii=False, sort_keys=True),
            "README.md": card(run, repo, configs, counts),
        }
        _finish(hub, texts, {shard.path for _, plan in parts for shard in plan})
    say(f"{hub.url}: {hub.num_files:,} files sent, {hub.num_bytes / 1e6:,.1f} MB")
    return Pushed(hub.url, hub.head(), hub.num_files, hub.num_bytes)


@dataclass(frozen=True)
class _Part:
    """The rows of a config that stands for itself; `whole` names the one that it is a part of."""

    name: str
    about: str
    rows: shards.Rows
    whole: str = ""


def _parts(run: Run, *, images: bool) -> Iterable[_Part]:
    import mmcurate.export

    state = run.state()
    made = [s for s in _SETS if (run.path / s[1]).exists()] or [s for s in _SETS[:1] if state.lists()]
    for name, _, maker, about in made:
        final = FinalSet(getattr(mmcurate.export, maker)(run), images=images)
        seen: Counter[str] = Counter()
        for source, questions in final.sources().items():
            safe = re.sub(r"[^\w.-]+", "_", source or "unnamed")
            seen[safe] += 1
            safe += f"-{seen[safe]}" if seen[safe] > 1 else ""  # "a b" and "a/b"
            yield _Part(f"{name}-{safe}", f"{about}, from {source}", Pictured(final, questions), name)
    run = Run(run.path)  # the exports have recorded what they left out
    yield _Part("questions", "a question of the source, kept or not", Questions(run))
    if state.lists():
        yield _Part("responses", "an answer of a teacher, kept or not", Responses(run))


def _configs(parts: Sequence[tuple[_Part, list[shards.Shard]]], sizes: dict[str, int]) -> list[Config]:
    """Returns the configs that have rows; of a final set with several sources also the whole."""
    out = []
    wholes = {part.whole: about for part, _ in parts for name, *_, about in _SETS if name == part.whole}
    for whole, about in wholes.items():
        mine = [(part, plan) for part, plan in parts if part.whole == whole and plan]
        if mine:
            out.append(_config(whole, about, mine[0][0].rows, [s for _, plan in mine for s in plan], sizes))
    for part, plan in parts:
        alone = part.whole and sum(p.whole == part.whole for p, _ in parts) == 1
        if plan and not alone:
            out.append(_config(part.name, part.about, part.rows, plan, sizes))
    return out


def _config(name: str, about: str, rows: shards.Rows, plan: list[shards.Shard], sizes: dict[str, int]) -> Config:
    files = {shard.path: sizes[shard.path] for shard in plan}
    return Config(name, about, rows.features, files, sum(s.num_rows for s in plan), sum(s.num_bytes for s in plan))


def _send_shards(hub: Repository, parts: Sequence[tuple[_Part, list[shards.Shard]]], staging: Path) -> None:
    """Sends the shards that aren't there, one at a time, and commits them some at a time."""
    there = hub.files()
    missing = [(part.rows, shard) for part, plan in parts for shard in plan if shard.path not in there]
    total = sum(len(plan) for _, plan in parts)
    say(f"{total:,} shards, {total - len(missing):,} of them on the Hub already")
    for start in range(0, len(missing), COMMIT_FILES):
        sent = []
        for rows, shard in missing[start : start + COMMIT_FILES]:
            place = staging / shard.path.rpartition("/")[2]
            shards.write(place, rows, shard)
            sent.append(hub.upload(shard.path, place))
        hub.commit(f"Shards {start + 1:,} to {start + len(sent):,} of {len(missing):,}", sent)
        for left in staging.glob("*.parquet"):
            left.unlink()  # what was small enough to go with the commit


def _finish(hub: Repository, texts: dict[str, str], wanted: set[str]) -> None:
    """Describes what is there now, and removes what isn't described any more."""
    there = hub.files()
    stale = [p for p in there if p not in wanted and p.startswith("data/") and _OURS.fullmatch(p)]
    changed = {p: t.encode() for p, t in texts.items() if p not in there or there[p].blob_id != _git_name(t.encode())}
    at_once = COMMIT_FILES - len(changed)
    if changed or stale:
        added = [hub.text(path, data) for path, data in changed.items()]
        hub.commit("What is here, and how it was made", added, stale[:at_once])
    for start in range(at_once, len(stale), COMMIT_FILES):
        hub.commit("Shards of an earlier push", [], stale[start : start + COMMIT_FILES])


def _git_name(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _refuse_strangers(repo: str, there: Iterable[str]) -> None:
    strange = sorted(path for path in there if not _OURS.fullmatch(path))
    if strange:
        raise RunError(
            f"{repo} holds something else already ({strange[0]!r} and {len(strange) - 1} more files): choose another name, since a push "
            "makes a repository hold the run and nothing else"
        )


def _licences(run: Run) -> dict[tuple[str, str | None], int]:
    """Returns how many questions there are of each source and licence, the dropped ones too: they are published as well."""
    counts: Counter[tuple[str, str | None]] = Counter()
    for file in run.entries[0].files if run.entries else ():
        found = read_table(run.path / file, ["source", "licence"]).group_by(["source", "licence"])
        for one in found.aggregate([([], "count_all")]).to_pylist():
            counts[one["source"], one["licence"] or None] += one["count_all"]
    return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))


def _manifest(run: Run) -> Any:
    """Returns the run's manifest without what is of one machine or one moment."""
    kept = {k: v for k, v in run.manifest.items() if k not in ("started", "finished", "exports", "exported")}
    entries = [{k: v for k, v in e.items() if k not in ("files", "passing")} for e in kept.pop("entries")]
    return scrub({**kept, "entries": entries})
