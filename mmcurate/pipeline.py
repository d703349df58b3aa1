"""A source and steps: declared lazily, checked before anything runs, run step by step, resumed by content."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmcurate.engine import Engine, LocalEngine
from mmcurate.errors import SettingsError, Stopped, did_you_mean
from mmcurate.folder import check_folder, locked, stop_on_signals
from mmcurate.progress import say
from mmcurate.run import Run
from mmcurate.running import Running, add_step
from mmcurate.select import Selection
from mmcurate.sources.hub import as_source
from mmcurate.state import ROWS, Entry, State
from mmcurate.step import Context, Step, snake_case


class Pipeline:
    """Questions from a source, taken through steps that add columns and filters that drop.

    Args:
        source: a source, a finished run, or a `datasets.Dataset`.
        *steps: steps, `Filter`s and `AtMost`s.

    Raises:
        SettingsError: two steps have one name, or a step needs a column that none before it makes.
    """

    def __init__(self, source: Any, *steps: Step | Selection) -> None:
        self.source = as_source(source)
        self.steps = _named(steps)
        self._check_columns()

    def replace(self, name: str, step: Step | Selection) -> Pipeline:
        """Returns this pipeline with another step under that name.

        Raises:
            SettingsError: no step has the name.
        """
        names = [s.name for s in self.steps]
        if name not in names:
            raise SettingsError(f"no step is called {name!r}{did_you_mean(name, names)}")
        renamed = dataclasses.replace(step, name=name)
        return Pipeline(self.source, *[renamed if s.name == name else s for s in self.steps])

    def __repr__(self) -> str:
        return "Pipeline(\n  " + ",\n  ".join(repr(s) for s in (self.source, *self.steps)) + ",\n)"

    def _check_columns(self) -> None:
        """Finds every column that the steps need, on a run without rows."""
        state = State(Path(), [])
        makers = [s.name for s in self.steps if isinstance(s, Step) and "responses" in s.provides.names]
        for step in self.steps:
            if isinstance(step, Step):
                _, inputs = add_step(state, step)
                later = [m for m in makers if m not in state.entries]
                if later and any(str(ref) == f"{ROWS}.responses" for _, ref in inputs):
                    raise SettingsError(
                        f"{step.name} needs responses, and {later[0]!r}, which makes them, comes after it"
                    )
            else:
                step.find(state)
                state.entries[step.name] = Entry(step.name, "drops", {})

    def run(self, out: str | Path, *, sample: int | None = None, seed: int = 0, engine: Engine | None = None) -> Run:
        """Runs the pipeline in a folder; the same call again continues where it stopped, or does nothing.

        Args:
            out: the run folder.
            sample: take only so many questions, at random; the same ones for the same seed.
            seed: for the sample.
            engine: where steps run; this machine unless given.

        Raises:
            RunLocked: another process is writing this folder.
            EndpointDown, Unauthorized, ModelNotFound: a teacher can't work; nothing was done yet.
            DiskFull: too little room.
            Stopped: Ctrl-C or SIGTERM.
        """
        if sample is not None and sample < 1:
            raise SettingsError(f"sample = {sample} must be at least 1, or None for all")
        root = Path(out).expanduser().resolve()
        check_folder(root)
        stopping = threading.Event()
        with ExitStack() as stack:
            stack.enter_context(locked(root))
            stack.enter_context(stop_on_signals())
            context = Context(store=root.parent / "answers", say=say, stopping=stopping)
            steps = [s for s in self.steps if isinstance(s, Step)]
            for step in steps:
                stack.callback(step.close)
            stack.callback(stopping.set)
            try:
                for step in steps:
                    step.open(context)
                    step.check()
                made = Running(
                    self.source,
                    self.steps,
                    root,
                    seed=seed,
                    sample=sample,
                    engine=engine or LocalEngine(),
                    stopping=stopping,
                )
                return made.go()
            except Stopped:
                raise
            except KeyboardInterrupt:
                raise Stopped(f"stopped; what is done is kept in {root}, and the same command continues") from None


def _named(steps: Iterable[Any]) -> list[Any]:
    """Returns the steps with a different name each; filters are numbered, steps that make columns are not."""
    out: list[Any] = []
    names: set[str] = {ROWS, "images", "final", "final_rl", "exports"}
    for step in steps:
        if not isinstance(step, (Step, Selection)):
            kind = step.__name__ if isinstance(step, type) else type(step).__name__
            hint = f"; did you mean {kind}(...)?" if isinstance(step, type) else ""
            raise SettingsError(f"a pipeline is made of steps, Filter and AtMost, not of {kind}{hint}")
        if not isinstance(step, Step) and not step.name:
            base = snake_case(type(step).__name__)
            free = (base if i == 1 else f"{base}_{i}" for i in itertools.count(1))
            step = dataclasses.replace(step, name=next(n for n in free if n not in names))
        if step.name in names:
            raise SettingsError(
                f"two steps are called {step.name!r}: give one another name, {type(step).__name__}(..., name={step.name + '_2'!r})"
            )
        names.add(step.name)
        out.append(step)
    return out
