"""The dataset card of a published run: what is in it, where it came from, how it was made, and what isn't known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmcurate.export.fates import without_folders
from mmcurate.export.licences import allows, hub_name
from mmcurate.report.funnel import Line
from mmcurate.report.verdicts import read_verdicts
from mmcurate.run import Run

SPLIT = "train"
_SIZES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]


@dataclass(frozen=True)
class Config:
    """A config of the published data set.

    Attributes:
        name: for `load_dataset`.
        about: what a row is.
        features: a `datasets.Features`.
        files: its files in the repository, with their sizes in bytes.
        num_rows, num_bytes: how many rows it has, and their size in memory without pictures.
    """

    name: str
    about: str
    features: Any
    files: Mapping[str, int]
    num_rows: int
    num_bytes: int


def card(run: Run, repo: str, configs: Sequence[Config], licences: Mapping[tuple[str, str | None], int]) -> str:
    """Returns the README.md of a published run; the same for the same run.

    Args:
        run: the run.
        repo: such as "me/mine".
        configs: what is published; the first is the default.
        licences: how many questions there are of each source and licence.
    """
    parts = [
        _header(configs, licences),
        f"# {repo.rpartition('/')[2]}\n",
        "Questions about pictures with a teacher's answers, each checked against the known answer. Made with "
        f"[mmcurate](https://pypi.org/project/mmcurate/) {run.manifest['mmcurate']} from the data sets below.",
        _load(repo, configs),
        _sources(run, licences),
        _funnel(run),
        _teachers(run),
        _checks(run),
        _steps(run),
        _unknown(run, configs, licences),
    ]
    return "\n".join(p.rstrip("\n") + "\n" for p in parts if p)


def _header(configs: Sequence[Config], licences: Mapping[tuple[str, str | None], int]) -> str:
    import datasets
    import huggingface_hub

    infos = datasets.info.DatasetInfosDict()
    for config in configs:
        size = {"num_bytes": config.num_bytes, "num_examples": config.num_rows}
        infos[config.name] = datasets.DatasetInfo(
            features=config.features,
            splits=datasets.SplitDict({SPLIT: datasets.SplitInfo(SPLIT, **size)}),
            download_size=sum(config.files.values()),
            dataset_size=config.num_bytes,
        )
    listed: list[dict[str, Any]] = [
        {"config_name": c.name, "data_files": [{"split": SPLIT, "path": list(c.files)}]} for c in configs
    ]
    listed[0]["default"] = True
    names = sorted({hub_name(licence) for _, licence in licences})
    data = huggingface_hub.DatasetCardData(
        license=names[0] if len(names) == 1 else names,
        task_categories=["visual-question-answering", "image-text-to-text"],
        size_categories=[next((n for most, n in _SIZES if configs[0].num_rows < most), "10M<n<100M")],
        tags=["mmcurate", "multimodal-reasoning", "distillation", "chain-of-thought"],
        configs=listed,
    )
    infos.to_dataset_card_data(data)
    return f"---\n{data.to_yaml()}\n---\n"


def _load(repo: str, configs: Sequence[Config]) -> str:
    rows = [[f"`{c.name}`", c.about, c.num_rows, f"{sum(c.files.values()) / 1e6:,.2f}"] for c in configs]
    default, others = configs[0].name, [c.name for c in configs[1:]]
    lines = [f'data = load_dataset("{repo}", "{default}", split="{SPLIT}")  # streaming=True reads without a copy']
    lines += [f'history = load_dataset("{repo}", "{name}", split="{SPLIT}")' for name in others if name == "responses"]
    return (
        "## Configs\n\n"
        + _table(["config", "a row is", "rows", "MB"], rows)
        + "\n\n```python\nfrom datasets import load_dataset\n\n"
        + "\n".join(lines)
        + "\n```\n\nWhy a question or a trace is in the set, or isn't, is in the columns `kept`, `dropped_by` and `reason` of `questions` and "
        "`responses`; `image_sha256` names a question's pictures everywhere, as they came from their source. "
        "`run.json` and `funnel.json` are the run's manifest and counts."
    )


def _sources(run: Run, licences: Mapping[tuple[str, str | None], int]) -> str:
    head = ["data set", "id or file", "revision", "licence", "notes"]
    rows = [
        [
            p.get("name"),
            scrub(p.get("id") or p.get("path")),
            p.get("revision") or "not known",
            p.get("licence") or "not known",
            "; ".join([*([f"at most {p['cap']:,} rows"] if "cap" in p else []), *(p.get("notes") or ())]),
        ]
        for p in run.describe()
    ]
    limits = {
        "free": "may be passed on",
        "non-commercial": "**no commercial use**",
        "unknown": "**not known**: ask before you use or pass it on",
        "forbidden": "**limits changed versions or passing on**: published with the publisher's clearance",
    }
    given = [[source, licence or "not known", n, limits[allows(licence)]] for (source, licence), n in licences.items()]
    told = (
        "## Sources\n\n"
        + _table(head, rows)
        + "\n\n## Licences\n\nA row's licence is that of its source, and its teacher's terms "
    )
    told += "may limit the use of the traces too.\n\n" + _table(
        ["source", "licence", "questions", "which means"], given
    )
    return told


def _funnel(run: Run) -> str:
    counted = run.funnel()
    parts = ["## What was kept, and why not the rest\n", _lines("questions", counted.rows)]
    parts += [_lines(f"traces ({name})", lines) for name, lines in counted.traces.items()]
    return "\n".join(parts)


def _lines(title: str, lines: Iterable[Line]) -> str:
    rows = []
    for line in lines:
        reasons = sorted(line.dropped.items(), key=lambda item: -item[1])
        why = "; ".join(f"{n:,} {reason}" for reason, n in reasons[:6])
        rows.append(
            [line.step, line.num_in, line.num_out, why + ("; and others, see funnel.json" if len(reasons) > 6 else "")]
        )
    return _table([title, "in", "out", "dropped"], rows) + "\n"


def _teachers(run: Run) -> str:
    asked = [e for e in run.entries if "responses" in e.columns and e.name != "rows"]
    parts = ["## Teachers\n"] if asked else []
    for entry in asked:
        told = entry.about
        each = told.get("num_responses")
        parts.append(
            f"`{entry.name}`: **{told.get('model', 'unknown')}**" + (f", {each} answers a question." if each else ".")
        )
        parts.append(f"Sampling: `{json.dumps(scrub(told.get('asked', {})), sort_keys=True)}`\n")
    prompts = run.prompts()
    if prompts:
        parts.append("## System prompts\n")
        parts += [f"`prompt_id` {name}:\n\n{_fenced(text)}\n" for name, text in sorted(prompts.items())]
    return "\n".join(parts)


def _checks(run: Run) -> str:
    parts = ["## Verification\n"]
    for name, said in read_verdicts(run.path, run.entries).items():
        judge = next(e.about.get("model") for e in run.entries if e.name == name)
        how = (
            f"Rules first, then math-verify, then the judge {judge}"
            if judge
            else "Rules first, then math-verify; no judge"
        )
        parts.append(f"`{name}`: {how}.\n")
        parts.append(
            _table(["verdict", "method", "traces"], [[v, m, n] for (m, v), n in said.counts.most_common()]) + "\n"
        )
    if len(parts) == 1:
        parts.append("No step of this run checked the traces.\n")
    parts.append("## Decontamination\n")
    against = [(e.name, e.about.get("against", [])) for e in run.entries if "benchmark_match" in e.columns]
    for name, sets in against:
        told = [", ".join(str(one[k]) for k in ("name", "id", "revision") if one.get(k)) for one in sets]
        parts.append(
            f"`{name}` compared every question, its text and its pictures, with: {'; '.join(told) or 'not recorded'}."
        )
    if not against:
        parts.append("**None:** the questions were not compared with any benchmark.")
    return "\n".join(parts)


def _steps(run: Run) -> str:
    shown = [e for e in run.entries[1:] if not e.hidden]
    rows = [[f"`{e.name}`", f"`{json.dumps(scrub(e.settings), sort_keys=True)[:400]}`"] for e in shown]
    packages = ", ".join(f"{k} {v}" for k, v in run.manifest["packages"].items())
    return (
        "## How to make it again\n\n"
        f"`pip install mmcurate=={run.manifest['mmcurate']}`, then a pipeline of the sources above and these steps, with seed "
        f"{run.manifest['seed']}"
        + (f" and a sample of {run.manifest['sample']:,} rows" if run.manifest["sample"] else "")
        + ". A teacher that samples gives other traces every time; `responses` holds the ones that were used.\n\n"
        + _table(["step", "settings"], rows)
        + f"\n\nMade with Python {run.manifest['python']}, {packages}."
    )


def _unknown(run: Run, configs: Sequence[Config], licences: Mapping[tuple[str, str | None], int]) -> str:
    told = []
    if not run.complete:
        told.append("The run wasn't complete when it was published: some requests had failed and may be tried again.")
    told += [
        f"{p['name']}: its {', '.join(k for k in ('revision', 'licence') if not p.get(k))}"
        for p in run.describe()
        if not p.get("revision") or not p.get("licence")
    ]
    if not any("images" in c.features for c in configs):
        told.append("The pictures aren't here: `image_sha256` says which file of the source each one is.")
    told += [
        f"Which revision of {e.about['model']} answered: its server didn't say."
        for e in run.entries
        if e.about.get("model") and not {"served", "weights"} & e.about.get("asked", {}).keys()
    ]
    return "## What isn't known\n\n" + "\n".join(f"- {line}" for line in told) if told else ""


def scrub(value: Any) -> Any:
    """Returns JSON without what is of one machine: of absolute paths the last part stays, and no URL of an endpoint."""
    if isinstance(value, dict):
        return {k: scrub(v) for k, v in value.items() if k not in ("base_url", "store")}
    if isinstance(value, (list, tuple)):
        return [scrub(v) for v in value]
    return without_folders(value) if isinstance(value, str) else value


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        text = f"{value:,}" if isinstance(value, int) else "-" if value in (None, "") else str(value)
        return " ".join(text.replace("|", "\\|").split())

    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    return "\n".join(f"| {line} |" for line in (*lines, *(" | ".join(map(cell, row)) for row in rows)))
