"""Which step was best by a metric, the networks of it, and whether waiting on is worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from curate.train.engine import checkpoint
from curate.train.engine.contract import Recipe
from curate.train.evaluation.evaluator import Evaluator

PATIENCE = 6  # measurements without a better one, after which stopping is reasonable

Rows = Sequence[Mapping[str, float]]


class BestCheckpoint:
    """Keeps the networks of the best steps by each of `metrics`, the mean over all tasks, less being better.

    `folder`/kid_standin-00000500.safetensors holds those after 500 steps, without what only going on needs.
    """

    def __init__(
        self, folder: Path, config_json: Mapping[str, Any], evaluator: Evaluator, metrics: Sequence[str], keep: int
    ) -> None:
        self.folder, self.config_json, self.evaluator = folder, config_json, evaluator
        self.metrics, self.keep = metrics, keep

    @cached_property
    def untranslated(self) -> Mapping[str, float]:
        """What a translation that does nothing would get, by scalar."""
        return self.evaluator.untranslated()

    def add(self, recipe: Recipe, rows: Rows) -> str:
        """Saves `recipe` where the last of `rows` is among the best by a metric, and says how it stands in words."""
        step = int(rows[-1]["step"])
        sentences = []
        for metric in self.metrics:
            name, ranked = f"{metric}_{self.evaluator.net.name}", self._ranked(metric, rows)
            best = dict(ranked[: self.keep])
            if step in best:
                path = self.folder / f"{name}-{step:08}.safetensors"
                checkpoint.save_weights(path, step, recipe, self.config_json, metric=name, value=best[step])
            for path in self.folder.glob(f"{name}-*.safetensors"):
                if int(path.stem.rpartition("-")[2]) not in best:
                    path.unlink()
            sentences.append(f"{name} {self._numbers(metric, rows[-1])}; {self._standing(metric, ranked, step)}")
        return f"step {step}: {'; '.join(sentences)}"

    def standing(self, rows: Rows) -> dict[str, dict[str, float]]:
        """The best step by each metric, and its value."""
        best = {f"{m}_{self.evaluator.net.name}": self._ranked(m, rows) for m in self.metrics}
        return {name: {"step": ranked[0][0], "value": ranked[0][1]} for name, ranked in best.items() if ranked}

    def _ranked(self, metric: str, rows: Rows) -> list[tuple[int, float]]:
        """(step, value) by rising value; of equal ones the first."""
        keys = [self.evaluator.key(metric, task) for task in self.evaluator.translating]
        measured = [row for row in rows if all(key in row for key in keys)]
        values = [(int(row["step"]), sum(row[key] for key in keys) / len(keys)) for row in measured]
        return sorted(values, key=lambda pair: pair[1])

    def _numbers(self, metric: str, row: Mapping[str, float]) -> str:
        parts = []
        for task in self.evaluator.translating:
            key, spread = self.evaluator.key(metric, task), self.evaluator.key(f"{metric}_std", task)
            error = f" ± {row[spread]:.2g}" if spread in row else ""
            idle = f" (untranslated {self.untranslated[key]:.3g})" if key in self.untranslated else ""
            if key not in row:
                parts.append(f"{task} not measured")
                continue
            parts.append(f"{task} {row[key]:.3g}{error}{idle}")
        return ", ".join(parts)

    def _standing(self, metric: str, ranked: list[tuple[int, float]], step: int) -> str:
        if not ranked:
            return "nothing to compare"
        best, value = ranked[0]
        since = sum(other > best for other, _ in ranked)
        if best == step:
            return "the best so far"
        standing = f"the best was {value:.3g} after step {best}"
        if since < PATIENCE:
            return standing
        return f"{standing}, {since} measurements ago: stopping is reasonable (Ctrl-C{self._then(metric)})"

    def _then(self, metric: str) -> str:
        return f"; translate with --best {metric}" if self.keep else ""
