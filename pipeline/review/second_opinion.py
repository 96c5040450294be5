"""A second person's word: the set without the first one's decisions, theirs back, and how far both agree."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.errors import CurateError, UsageError, clipped
from curate.pipeline.core.files import atomic_write, disk_error, writing
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.core.text_table import table as as_text
from curate.pipeline.imaging import shards
from curate.pipeline.review import review_items
from curate.pipeline.tables import decisions, manifest, spreadsheet
from curate.pipeline.tables.decisions import Decision, Decisions
from curate.pipeline.tables.manifest import CROPS, DEDUP, IMAGES
from curate.pipeline.tables.schema import Table
from curate.pipeline.tables.suspects_table import SUSPECTS

DISAGREEMENTS = "processed/views/disagreements.tsv"
UNFINISHED = ".unfinished-export"  # stands in a folder until all of its files do
NAMED = 10  # disagreements that a terminal shows


@dataclass(frozen=True)
class ExportedReview:
    """What a second person is given."""

    folder: str
    items: dict[str, int]  # by kind


@dataclass(frozen=True)
class Disagreement:
    """An item on which two persons decided differently."""

    item: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class SecondOpinion:
    """What came of a second person's decisions."""

    by: str
    added: int  # on items on which no person had decided here
    both: int  # items that were decided here, too
    agreed: int
    kappa: float | None  # Cohen's, of the items that both decided; None where one word is all that either said
    disagreements: tuple[Disagreement, ...]


def export(root: Path, out: Path, *, domains: Sequence[str] = (), progress: Progress = SILENT) -> ExportedReview:
    """Makes `out` a folder in which `curate review` shows the crops and pairs that train, of `domains` alone.

    No decision comes along, so that the second person does not know the first one's, and no photo: what was refused
    can't be shown. Pictures are hard links where the disk allows. What an export that did not end left there is made
    anew. Raises UsageError for a folder that is not empty and an unknown domain, TableError where there is nothing,
    CurateError for a disk that refuses.
    """
    tables = {kind: review_items.KINDS[kind][0] for kind in review_items.kinds(root)}
    chosen = {kind: _chosen(table, domains, root) for kind, table in tables.items()}
    with writing(out):
        _begin(out)
    images: set[str] = set()
    for kind, data in chosen.items():
        columns = ["path"] if tables[kind] is CROPS else ["article_path", "human_path"]
        _link(root, out, {path for name in columns for path in data[name].to_pylist()}, kind, progress)
        manifest.write(tables[kind], data, out, manifest.meta(tables[kind], root))
        for name in {"image_id", "article_image_id", "human_image_id"} & set(data.schema.names):
            images.update(data[name].to_pylist())
    for table, key, wanted in ((IMAGES, "image_id", images), (DEDUP, "crop_id", None), (SUSPECTS, "crop_id", None)):
        _copy(table, key, wanted, root, out)
    with writing(out):
        (out / decisions.FILE).touch()
        (out / UNFINISHED).unlink()
    return ExportedReview(str(out), {kind: data.num_rows for kind, data in chosen.items()})


def _begin(out: Path) -> None:
    """Makes `out` a folder with nothing but the word that it is unfinished. Raises UsageError, and OSError."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / UNFINISHED).exists())):
        raise UsageError(f"{out}: there already, and not empty", "choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    (out / UNFINISHED).touch()
    for made in (out / "manifests", out / "processed"):
        if made.exists():
            shutil.rmtree(made)


def _chosen(table: Table, domains: Sequence[str], root: Path) -> pa.Table:
    """The rows of `table` that train, of `domains` alone. Raises UsageError for one that no crop has."""
    data = manifest.accepted(manifest.read(table, root))
    there = [name for name in domains if table is CROPS or _has(data, name)]
    return manifest.filter_domains(table, data, there, root)


def _has(data: pa.Table, domain: str) -> bool:
    return bool(pc.any(pc.equal(data["domain"], domain), min_count=0).as_py())


def _copy(table: Table, key: str, wanted: set[str] | None, root: Path, out: Path) -> None:
    """The rows of `table` that belong to what is there, without where photos lie: they stay at home."""
    if not manifest.exists(table, root):
        return
    data = manifest.read(table, root)
    if wanted is None:
        there = manifest.read(CROPS, out, ["crop_id"])["crop_id"] if manifest.exists(CROPS, out) else pa.array([])
        wanted = set(there.to_pylist())
    data = data.filter(pc.is_in(data[key], value_set=pa.array(sorted(wanted), pa.string())))
    if table is IMAGES:
        at = data.schema.get_field_index("path")
        data = data.set_column(at, data.schema.field(at), pa.nulls(data.num_rows, pa.string()))
    manifest.write(table, data, out, manifest.meta(table, root))


def _link(root: Path, out: Path, paths: set[str], kind: str, progress: Progress) -> None:
    with progress.task(f"pictures of {kind}", len(paths)) as task:
        for name in sorted({shards.file(path) for path in paths}):
            source, target = inside(root, name), out / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(source, target)
                except OSError:  # another disk, or one without links
                    shutil.copyfile(source, target)
            except OSError as error:
                raise disk_error(target, error) from error
            task.advance()


def take(root: Path, source: Path, *, by: str | None = None) -> SecondOpinion:
    """Adds the decisions in `source`, a review.jsonl or a folder of `export`, on items that nobody decided here.

    Where both have decided, the word here stands; those that differ are listed in DISAGREEMENTS. With `by` they are
    that person's; without, whoever's they say. Raises UsageError for a file that holds no decision, for decisions of
    several persons, and for those of one who has decided here, too.
    """
    file = source / decisions.FILE if source.is_dir() else source
    made = list(_made(file))
    persons = sorted({one.by for one in made})
    if not made:
        raise UsageError(f"{file}: holds no decision of a person's", "give the folder, or its manifests/review.jsonl")
    if by is None and len(persons) > 1:
        raise UsageError(f"{file}: decisions of {clipped(', '.join(persons))}", "say whose they are to be: --by NAME")
    whose = by or persons[0]
    ours = decisions.read(root).by_persons()
    if whose in ours.persons():
        raise UsageError(f"{clipped(whose)} has decided here, too", "say whose the others are: --by NAME")
    theirs = Decisions(made)
    words = {item: one for item in dict.fromkeys(one.item for one in made) if (one := theirs.decision(item))}
    both = {item: (one, mine) for item, one in words.items() if (mine := ours.decision(item))}
    new = [msgspec.structs.replace(one, by=whose) for item, one in words.items() if item not in both]
    pairs = [(_word(mine), _word(one)) for one, mine in both.values()]
    apart = [
        Disagreement(item, _word(mine), _word(one)) for item, (one, mine) in both.items() if _word(mine) != _word(one)
    ]
    with atomic_write(inside(root, DISAGREEMENTS)) as temporary, temporary.open("w", encoding="utf-8") as sheet:
        rows = ((one.item, one.ours, one.theirs) for one in apart)
        spreadsheet.write(sheet, ("item", "here", whose), rows, separator="\t")
    if new:
        decisions.append(root, new, whole=True)  # a second time it is refused: they have decided here, too
    return SecondOpinion(whose, len(new), len(pairs), len(pairs) - len(apart), kappa(pairs), tuple(apart))


def _made(file: Path) -> Iterator[Decision]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CurateError(f"{file}: cannot read: {error.strerror}", "give a review.jsonl, or its folder") from None
    for _, _, one in decisions.parse(data):
        if isinstance(one, Decision) and one.by_person:
            yield one


def _word(one: Decision) -> str:
    return f"move to {one.domain}" if one.decision == "move" else one.decision


def kappa(words: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two persons' words on the same items: 1 always the same, 0 as often as by chance."""
    if not words:
        return None
    first, second = (Counter(word) for word in zip(*words, strict=True))
    chance = sum(first[word] * second[word] for word in first) / len(words) ** 2
    same = sum(one == other for one, other in words) / len(words)
    return None if chance == 1 else (same - chance) / (1 - chance)


def text(found: SecondOpinion) -> str:
    """What came of it, for a terminal."""
    blocks = [f"{found.added:,} decisions of {found.by} on what nobody had decided here"]
    if found.both:
        told = "" if found.kappa is None else f", kappa {found.kappa:.2f}"
        blocks.append(f"{found.both:,} decided by both: {found.agreed / found.both:.0%} the same{told}")
    if found.disagreements:
        rows = [(one.item[:12], one.ours, one.theirs) for one in found.disagreements[:NAMED]]
        more = f"\n{DISAGREEMENTS} has all {len(found.disagreements):,}"
        blocks.append(as_text(("", "here", found.by), rows, left=3) + more)
        blocks.append("the word here stands; to settle one: curate keep ID, or curate reject ID")
    return "\n".join([*blocks, "next: curate build"])
