"""A folder for the Hugging Face Hub: a card, and per split the pictures with a metadata.jsonl (`imagefolder`).

    README.md   train/metadata.jsonl   train/ab/KEY.png ...   validation/...   test/...

`datasets.load_dataset(FOLDER)` reads it as it is. Pairs have two image columns, article and human.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.terminal_text import json_text, visible_line
from curate.pipeline.export.config import Export
from curate.pipeline.export.export_set import ExportItem, ExportSet, put

_SPLITS = {"train": "train", "val": "validation", "test": "test"}  # as the Hub calls them
_LICENSES = frozenset(  # codes that the Hub knows by the same name
    "cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 "
    "cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0".split()
)
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


class HuggingFace:
    """Pictures by split, in folders that stay below the Hub's 10,000 files for long."""

    def __init__(self, export_set: ExportSet, section: Export) -> None:
        self.export_set, self.link = export_set, section.link
        self.names = ["README.md", *(_SPLITS[split] for split in export_set.splits)]

    def write(self, out: Path) -> Iterator[tuple[ExportItem, str]]:
        """See Layout."""
        codes: set[str] = set()
        for split in self.export_set.splits:
            folder = out / _SPLITS[split]
            with (
                atomic_write(folder / "metadata.jsonl") as temporary,
                temporary.open("w", encoding="utf-8") as lines,
            ):
                for item in self.export_set.items(split):
                    names = self._names(item)
                    for name, path in zip(names.values(), item.pictures, strict=True):
                        put(self.export_set, path, folder / name, link=self.link)
                    lines.write(json_text({**names, **self._facts(item)}) + "\n")
                    codes |= set(str(item.facts["license"]).split("+"))
                    yield item, f"{folder.name}/{next(iter(names.values()))}"
        with atomic_write(out / "README.md") as temporary:
            temporary.write_text(self._card(codes), "utf-8")

    def _facts(self, item: ExportItem) -> dict[str, Any]:
        """The facts of an item. `datasets` wants the same columns of the same types in every split."""
        facts = dict.fromkeys(self.export_set.texts, "") | item.facts
        return {
            name: value for name, value in facts.items() if isinstance(value, str) or self.export_set.everywhere(name)
        }

    def _names(self, item: ExportItem) -> dict[str, str]:
        """Column -> file, relative to metadata.jsonl."""
        place = f"{item.key[:2]}/{item.key}"
        if self.export_set.is_pairs:
            return {f"{kind}_file_name": f"{place}_{kind}.png" for kind in self.export_set.kinds}
        return {"file_name": f"{place}.png"}

    def _card(self, codes: set[str]) -> str:
        counts = {_SPLITS[split]: self.export_set.count(split) for split in self.export_set.splits}
        total = sum(counts.values())
        single = len(codes) == 1 and codes <= _LICENSES
        license_lines = [f"license: {next(iter(codes))}"] if single else ["license: other", "license_name: per-picture"]
        files = [line for s in counts for line in (f"  - split: {s}", f"    path: {s}/**")]
        what = "Article/Human pairs" if self.export_set.is_pairs else "aligned crops"
        return "\n".join(
            [
                "---",
                *license_lines,
                "task_categories:",
                "- image-to-image",
                "size_categories:",
                f"- {next((name for most, name in _SIZES if total < most), '1M<n<10M')}",
                "configs:",
                "- config_name: default",
                "  data_files:",
                *files,
                "---",
                "",
                f"# {total} {what}: {', '.join(map(_markdown, self.export_set.domains))}",
                "",
                *(f"- {split}: {count}" for split, count in counts.items()),
                "",
                "Each row tells the domain, the licence, the maker and the page of its photo. Rows of one `cluster_id`",
                "show the same thing and stand in one split.",
                "",
                "The photos belong to those who made them: see LICENSES.txt and ATTRIBUTION.csv. A licence speaks for",
                "the photo, not for the person in it.",
                "",
            ]
        )


def _markdown(text: str) -> str:
    """`text` as one line of Markdown in which nothing is marked up."""
    return re.sub(r"[\\`*_\[\]<>&#|~]", r"\\\g<0>", visible_line(text))
