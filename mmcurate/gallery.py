"""Questions with their pictures, answers and verdicts, as HTML: what a source, a run and the report show."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Sequence
from typing import Any

from mmcurate import pictures

STYLE = """
.mmc{font:14px/1.45 system-ui,sans-serif;color:#1d2433;display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:14px}
.mmc article{border:1px solid #dde2ea;border-radius:8px;padding:12px;background:#fff;overflow-wrap:anywhere}
.mmc img{max-width:100%;max-height:240px;border:1px solid #eef1f5;border-radius:4px;margin:2px}
.mmc .id{color:#68738a;font-size:12px}.mmc .q{white-space:pre-wrap;margin:6px 0}.mmc .gold{font-weight:600}
.mmc ol{margin:4px 0 4px 22px;padding:0}.mmc details{margin-top:6px;border-top:1px solid #eef1f5;padding-top:4px}
.mmc summary{cursor:pointer}.mmc pre{white-space:pre-wrap;font:12px/1.4 ui-monospace,monospace;background:#f6f8fb;padding:8px;border-radius:4px}
.mmc .v{display:inline-block;padding:0 7px;border-radius:9px;font-size:12px;background:#e7ebf1}
.mmc .correct{background:#d3f2dc;color:#0c5a26}.mmc .incorrect{background:#fbdcdc;color:#8a1414}
.mmc .no_answer,.mmc .undecided{background:#fdeec8;color:#6d4b00}.mmc .error{background:#e3d4f7;color:#4b1d84}
.mmc .problem{color:#8a1414}.mmc .dropped{color:#8a1414;font-size:12px}
"""


class Gallery(Sequence[dict[str, Any]]):
    """Some questions as plain dicts, which a notebook shows with their pictures.

    Args:
        rows: dicts with `id`, `question`, `options`, `answer`, `images` (picture structs) and, where they are,
            `traces`: dicts with `text`, `verdict`, `method`, `why`, `dropped`.
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return Gallery(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    def __repr__(self) -> str:
        lines = [f"{len(self)} questions"]
        for row in self._rows:
            text = " ".join(str(row.get("question") or "").split())
            lines.append(
                f"  {row.get('id')}: {text[:80]!r} -> {row.get('answer')!r}, {len(row.get('images') or ())} picture(s)"
            )
            for trace in row.get("traces") or ():
                fate = f", dropped by {trace['dropped']}" if trace.get("dropped") else ""
                lines.append(
                    f"    {trace.get('verdict') or 'not checked'}: {str(trace.get('extracted') or '')[:40]!r}{fate}"
                )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{self.html()}"

    def html(self) -> str:
        """Returns the questions as one `<div>`; `STYLE` goes with it."""
        return f'<div class="mmc">{"".join(article(row) for row in self._rows)}</div>'


def article(row: dict[str, Any]) -> str:
    """Returns one question as HTML; `STYLE` goes with it."""
    shown = []
    for picture in row.get("images") or ():
        try:
            small = base64.b64encode(pictures.thumbnail(pictures.read(picture))).decode("ascii")
            shown.append(
                f'<img src="data:image/jpeg;base64,{small}" alt="picture of {html.escape(str(row.get("id")))}">'
            )
        except (OSError, ValueError) as error:
            shown.append(f'<div class="problem">picture: {html.escape(str(error))}</div>')
    options = "".join(f"<li>{html.escape(str(o))}</li>" for o in row.get("options") or ())
    parts = [
        f'<div class="id">{html.escape(str(row.get("id")))} · {html.escape(str(row.get("source") or ""))}</div>',
        *shown,
        f'<div class="q">{html.escape(str(row.get("question") or ""))}</div>',
        f'<ol type="A">{options}</ol>' if options else "",
    ]
    if row.get("answer") is not None:
        parts.append(f'<div>gold: <span class="gold">{html.escape(str(row["answer"]))}</span></div>')
    if row.get("pass_rate") is not None:
        parts.append(f"<div>pass rate: {row['pass_rate']:.2f}</div>")
    if row.get("_problem"):
        parts.append(f'<div class="problem">{html.escape(row["_problem"])}</div>')
    for trace in row.get("traces") or ():
        verdict = trace.get("verdict") or "not checked"
        dropped = (
            f' <span class="dropped">dropped: {html.escape(trace["dropped"])}</span>' if trace.get("dropped") else ""
        )
        why = f"{trace.get('method') or ''}: {trace.get('why') or ''}".strip(": ")
        body = f"{trace['reasoning']}\n\n{trace['text']}" if trace.get("reasoning") else str(trace.get("text") or "")
        parts.append(
            f'<details><summary><span class="v {verdict}">{verdict}</span> {html.escape(str(trace.get("extracted") or "")[:60])}'
            f'{dropped}</summary><div class="id">{html.escape(why)}</div><pre>{html.escape(body)}</pre></details>'
        )
    return f"<article>{''.join(parts)}</article>"
