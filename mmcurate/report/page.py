"""The report: one HTML file without links to anywhere, which says what became of every row."""

from __future__ import annotations

import html
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from mmcurate.columns import durable_write, read_schema, read_table
from mmcurate.gallery import STYLE, Gallery, article
from mmcurate.report.funnel import Funnel, Line
from mmcurate.report.origins import Origin, read_origins
from mmcurate.report.pairs import Pairs, read_pairs
from mmcurate.report.verdicts import Verdicts, read_verdicts
from mmcurate.state import ROWS, Entry
from mmcurate.step import spent
from mmcurate.verify.grade import SECOND_OPINIONS

_PAGE_STYLE = """
body{margin:0;background:#f4f6f9;color:#1d2433;font:15px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px}h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:28px 0 8px}
.muted{color:#68738a}table{border-collapse:collapse;background:#fff;border:1px solid #dde2ea;border-radius:8px;margin:6px 0}
th,td{padding:5px 12px;text-align:left;border-bottom:1px solid #eef1f5;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.bar{height:10px;background:#3b6fd4;border-radius:3px;display:inline-block;vertical-align:middle}.row{display:flex;gap:28px;flex-wrap:wrap}
.pair{margin:10px 0}.pair .mmc{grid-template-columns:1fr 1fr}
.warn{background:#fdeec8;border:1px solid #ecd08a;border-radius:8px;padding:8px 12px}
"""


@dataclass(frozen=True)
class Report:
    """A written report; a notebook shows it.

    Attributes:
        path: of the HTML file; `funnel.json` lies beside it.
    """

    path: Path
    body: str

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}{_PAGE_STYLE}</style>{self.body}"

    def __str__(self) -> str:
        return str(self.path)


def totals(root: Path, entries: list[Entry]) -> list[dict[str, Any]]:
    """Returns what each teacher and judge answered: answers, tokens, and the cost in US dollars at the run's prices."""
    out = []
    for entry in entries:
        if entry.name == ROWS or entry.kind != "columns":
            continue
        counts = Counter[str]()
        for file in entry.files:
            counts.update(_spent(root / file, entry))
        if "responses" not in entry.columns and not counts:
            continue
        prices = entry.about.get("input_price", 0.0), entry.about.get("output_price", 0.0)
        out.append(
            {
                "step": entry.name,
                "model": entry.about.get("model", ""),
                **{name: counts[name] for name in ("answers", "prompt_tokens", "tokens")},
                "cost": (counts["prompt_tokens"] * prices[0] + counts["tokens"] * prices[1]) / 1e6,
            }
        )
    return out


def _spent(path: Path, entry: Entry) -> dict[str, int]:
    """Returns what was answered for one file of a step: its responses, or what the step noted."""
    if "responses" not in entry.columns:
        return spent(read_schema(path))
    values = read_table(path, ["responses"])["responses"].combine_chunks().flatten()
    sums = {
        n: pc.sum(values.field(c)).as_py() or 0
        for n, c in (("prompt_tokens", "prompt_tokens"), ("tokens", "num_tokens"))
    }
    return {"answers": len(values), **sums}


def write_report(
    root: Path, manifest: dict[str, Any], entries: list[Entry], counted: Funnel, gallery: Gallery
) -> Report:
    """Writes `report.html` into a run folder.

    Args:
        root, manifest, entries: the run folder, its manifest and its steps.
        counted: its funnel.
        gallery: questions to show.
    """
    state = "complete" if manifest["complete"] else "not complete"
    finished = counted.rows[-1].num_out
    parts = [
        f"<h1>{html.escape(root.name)}</h1>",
        f'<div class="muted">{state} · mmcurate {html.escape(manifest["mmcurate"])} · source {html.escape(manifest["source"]["name"])} · '
        f"{counted.rows[0].num_in:,} questions in, {finished:,} in the end</div>",
    ]
    passing = sum(sum(e.passing.values()) for e in entries)
    if passing:
        parts.append(
            f'<p class="warn">{passing:,} requests failed for reasons that may pass. The same command tries them again.</p>'
        )
    parts.append(_origins(read_origins(root, manifest["source"].get("parts", []), entries)))
    parts += ["<h2>Questions</h2>", _lines(counted.rows)]
    for name, lines in counted.traces.items():
        parts += [f"<h2>Traces: {html.escape(name)}</h2>", _lines(lines)]
    asked = totals(root, entries)
    if asked:
        parts.append(
            "<h2>Tokens</h2>"
            + _table(
                ["step", "model", "answers", "prompt tokens", "answer tokens", "cost, US$"],
                [
                    [t["step"], t["model"], t["answers"], t["prompt_tokens"], t["tokens"], f"{t['cost']:,.2f}"]
                    for t in asked
                ],
            )
        )
    parts += [_pairs(found) for found in read_pairs(root, entries)]
    for name, said in read_verdicts(root, entries).items():
        parts.append(_verdicts(name, said))
    charts = _histograms(root, entries)
    if charts:
        parts.append('<div class="row">' + "".join(charts) + "</div>")
    parts += [f"<h2>{len(gallery)} questions of the final set, at random</h2>", gallery.html()]
    body = "<main>" + "".join(parts) + "</main>"
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(root.name)}: what became of every row</title>'
        f"<style>{STYLE}{_PAGE_STYLE}</style></head><body>{body}</body></html>"
    )
    durable_write(root / "report.html", lambda file: file.write(page.encode("utf-8", "replace")))
    return Report(root / "report.html", body)


def _origins(origins: list[Origin]) -> str:
    """Shows each source's rows as published, as read and as kept, and what is known of it."""
    head = [
        "source",
        "licence",
        "published",
        "read",
        "usable",
        "questions kept",
        "traces kept",
        "kept in the publication",
    ]
    head += ["golds not accepted"]
    rows, notes = [], []
    for one in origins:
        about = one.about
        bad = (
            f"{one.num_bad_golds:,} of {one.num_golds:,} ({one.num_bad_golds / one.num_golds:.2%})"
            if one.num_golds
            else ""
        )
        usable = one.num_read - sum(one.problems.values())
        known = [about.get("licence") or "", about.get("rows") or ""]
        rows.append(
            [one.name, *known, one.num_read, usable, one.num_kept, one.num_traces, about.get("kept") or "", bad]
        )
        place = " at ".join(str(about[k])[:40] for k in ("id", "revision") if about.get(k)) or about.get("path") or ""
        told = [place] if place else []
        told += [f"at most {about['cap']:,} rows, chosen at random by the seed"] if about.get("cap") else []
        told += [f"{n:,} rows can't be used: {reason}" for reason, n in one.problems.most_common(8)]
        told += list(about.get("notes") or ())
        if told:
            items = "".join(f"<li>{html.escape(note)}</li>" for note in told)
            notes.append(f"<details><summary>{html.escape(one.name)}</summary><ul>{items}</ul></details>")
    return "<h2>Sources</h2>" + _table(head, rows) + "".join(notes)


def _pairs(found: Pairs) -> str:
    """Shows some pairs of a step side by side, least alike first."""
    kinds = "".join(f", {n:,} by {html.escape(kind)}" for kind, n in found.by_kind.most_common())
    shown = "".join(
        f'<div class="pair"><div class="mmc">{article(one)}{article(other)}</div><div class="muted">{html.escape(word)}</div></div>'
        for one, other, word in found.shown
    )
    some = "" if found.num_pairs <= len(found.shown) else f"; the {len(found.shown)} least alike are shown"
    return (
        f"<h2>{html.escape(found.step)}: {found.title}</h2><p>{found.num_pairs:,} "
        f"{'question' if found.num_pairs == 1 else 'questions'}{kinds}. Each is beside what it is alike to{some}.</p>{shown}"
    )


def _verdicts(name: str, said: Verdicts) -> str:
    """Shows what a verifying step said, what the judge alone accepted, and where two methods differ."""
    total = sum(said.counts.values()) or 1
    rows = [[m, v, n, f"{100 * n / total:.1f} %"] for (m, v), n in said.counts.most_common()]
    parts = [f"<h2>Verdicts: {html.escape(name)}</h2>", _table(["method", "verdict", "traces", "share"], rows)]
    if said.num_by_judge:
        share = 100 * said.num_by_judge / said.num_correct
        parts.append(
            f"<p>{said.num_by_judge:,} of {said.num_correct:,} correct traces ({share:.1f} %) were accepted by the judge alone: no rule "
            "compares their answer with the gold. Some to read:</p>"
        )
        parts.append(
            _table(
                ["question", "gold", "answer", "why"],
                [[e.id, e.answer, e.extracted[:200], e.why[:300]] for e in said.by_judge],
            )
        )
    if said.num_disputed:
        parts.append(
            f"<p>{said.num_disputed:,} {'trace' if said.num_disputed == 1 else 'traces'} on which a second method says something "
            "else (math-verify is asked about one in "
            f"{SECOND_OPINIONS} of the mathematical comparisons, and decides none of those). Some to read:</p>"
        )
        head = ["question", "gold", "answer", "verdict", "by", "second opinion"]
        parts.append(
            _table(
                head, [[e.id, e.answer, e.extracted[:200], e.verdict, e.method, e.disagreement] for e in said.disputed]
            )
        )
    return "".join(parts)


def _table(head: list[str], rows: list[list[Any]]) -> str:
    def cell(tag: str, value: Any) -> str:
        number = isinstance(value, (int, float)) or (
            isinstance(value, str) and value.replace(",", "").replace(".", "").rstrip(" %").isdigit()
        )
        text = f"{value:,}" if isinstance(value, int) else str(value)
        return f"<{tag}{' class=n' if number else ''}>{html.escape(text)}</{tag}>"

    header = "".join(f"<th>{html.escape(h)}</th>" for h in head)
    return (
        f"<table><tr>{header}</tr>"
        + "".join("<tr>" + "".join(cell("td", v) for v in row) + "</tr>" for row in rows)
        + "</table>"
    )


def _lines(lines: list[Line]) -> str:
    most = max((line.num_in for line in lines), default=1) or 1
    rows = []
    for line in lines:
        why = "<br>".join(
            f"{n:,} {html.escape(reason)}" for reason, n in sorted(line.dropped.items(), key=lambda i: -i[1])[:12]
        )
        more = len(line.dropped) - 12
        why += f"<br>and {more} more reasons, in funnel.json" if more > 0 else ""
        rows.append(
            f"<tr><td>{html.escape(line.step)}</td><td class=n>{line.num_in:,}</td><td class=n>{line.num_out:,}</td>"
            f'<td><span class="bar" style="width:{max(1, round(220 * line.num_out / most))}px"></span></td><td>{why or "nothing"}</td></tr>'
        )
    return (
        "<table><tr><th>step</th><th class=n>in</th><th class=n>out</th><th></th><th>dropped</th></tr>"
        + "".join(rows)
        + "</table>"
    )


def _histograms(root: Path, entries: list[Entry]) -> list[str]:
    out = []
    for entry in entries:
        if "pass_rate" in entry.columns:
            rates = np.concatenate(
                [read_table(root / f, ["pass_rate"])["pass_rate"].drop_null().to_numpy() for f in entry.files]
                or [np.zeros(0)]
            )
            if len(rates):
                values, counts = np.unique(rates, return_counts=True)
                names = [f"{v:.0%}" for v in values]
                if len(values) > 17:
                    counts, edges = np.histogram(rates, bins=10, range=(0, 1))
                    names = [f"{a:.0%} to under {b:.0%}" for a, b in itertools.pairwise(edges)]
                out.append(_histogram(f"Pass rate, {entry.name}", names, counts))
        if "responses" in entry.columns and entry.name != "rows":
            lengths = np.concatenate(
                [
                    read_table(root / f, ["responses"])["responses"]
                    .combine_chunks()
                    .flatten()
                    .field("num_tokens")
                    .drop_null()
                    .to_numpy()
                    for f in entry.files
                ]
                or [np.zeros(0)]
            )
            if len(lengths) and lengths.max() > 0:
                edges = np.unique(np.geomspace(max(1, lengths.min()), lengths.max() + 1, 9).astype(int))
                counts, edges = np.histogram(lengths, bins=edges)
                out.append(
                    _histogram(
                        f"Answer tokens, {entry.name}",
                        [f"{a:,} to {b - 1:,}" for a, b in itertools.pairwise(edges)],
                        counts,
                    )
                )
    return out


def _histogram(title: str, names: list[str], counts: np.ndarray) -> str:
    most = max(1, int(counts.max()))
    rows = "".join(
        f'<tr><td>{html.escape(name)}</td><td class=n>{int(n):,}</td><td><span class="bar" style="width:{round(200 * int(n) / most)}px"></span></td></tr>'
        for name, n in zip(names, counts, strict=True)
    )
    return f"<div><h2>{html.escape(title)}</h2><table>{rows}</table></div>"
