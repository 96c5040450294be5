"""The presets: each loads strictly, and a written one is a whole project wherever it stands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.pipeline.cli import presets
from curate.pipeline.cli.commented_yaml import read, values
from curate.pipeline.core.config import SECTIONS, as_dict, load
from curate.pipeline.core.errors import UsageError
from curate.pipeline.crop.config import Crop
from curate.pipeline.faces.detectors import DETECTORS
from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.plan import query_words
from curate.pipeline.scrape.sources import SOURCES, facts
from curate.pipeline.scrape.sources.site_file import read as read_site
from curate.pipeline.tables import decisions, placements

# What a preset that asks real sites wants to be filled in, and what dvc.yaml reads, however it stands.
PLAIN = {"scrape.contact", "translate.runs", "translate.shipped", "evaluate.runs", "scrape.demo"}

EXPECTED = ["demo", "hair", "icon", "selfie2anime", "smile", "study", "swimwear"]


def test_there_is_one_for_each_use() -> None:
    assert presets.names() == EXPECTED


@pytest.mark.parametrize("name", EXPECTED)
def test_each_loads_strictly(name: str, tmp_path: Path) -> None:
    presets.write(name, tmp_path)
    params = load(tmp_path)
    for section, kind in ((name, SECTIONS.resolve(name)) for name in SECTIONS):
        params.section(section, kind)
    crop = params.section("crop", Crop)
    scrape = params.section("scrape", Scrape)
    domains = {query.domain for query in scrape.queries}
    assert None not in domains, "a preset says which domain a query feeds"
    assert crop.domains.keys() <= domains
    for domain in domains:
        assert DETECTORS[crop.rules(str(domain)).detector]
    assert all(SOURCES[query.source] for query in scrape.queries)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_wants_no_more_than_its_sources_give_in_words_that_they_know(name: str, tmp_path: Path) -> None:
    presets.write(name, tmp_path)
    section = load(tmp_path).section("scrape", Scrape)
    pages: Counter[str] = Counter()
    for query in section.queries:
        limits = facts(query.source).limits
        want = query.want or section.want
        if facts(query.source).base and query.base_url is None:
            assert want is None or limits.depth is None or want <= limits.depth
            assert want is not None or limits.depth is not None, "or it never ends"
            words = query_words(section, query).get(query.source) or query.query or ""
            assert words.isascii(), f"{query.source} does not know {words}"
            pages[query.source] += -(-(limits.depth or want or 0) // limits.page_size)
    assert all(count <= (facts(source).limits.daily or count) for source, count in pages.items()), "more than a day"


@pytest.mark.parametrize("name", EXPECTED)
def test_each_names_only_domains_that_it_fills(name: str) -> None:
    preset = yaml.safe_load(presets.text(name))
    filled = {query["domain"] for query in preset["scrape"]["queries"]}
    for recipe in preset.get("train", {}).values():
        assert set((recipe.get("data") or {}).get("domains", {}).values()) <= filled


@pytest.mark.parametrize("name", EXPECTED)
def test_a_written_preset_has_its_site_files_and_folders(name: str, tmp_path: Path) -> None:
    written = presets.write(name, tmp_path / "new")
    root = tmp_path / "new"
    assert written[0] == root / "params.yaml"
    assert all(path.is_file() for path in written)
    assert all((root / folder).is_dir() for folder in ("raw", "processed", "manifests"))
    for query in load(root).section("scrape", Scrape).queries:
        if query.site:
            assert read_site(root / query.site).allowed_hosts


@pytest.mark.parametrize("name", EXPECTED)
def test_each_holds_only_what_makes_it_special(name: str) -> None:
    """What has its default is left out, but where a preset sets it back from what it extends."""
    own = values(read(presets.source(name)))
    base = values(presets.tree(own["extends"])) if "extends" in own else {}
    for section in own.keys() & {*SECTIONS}:
        usual = as_dict(SECTIONS.resolve(section)()) | (base.get(section) or {})
        idle = {f"{section}.{key}" for key, value in own[section].items() if usual[key] == value}
        assert idle <= PLAIN


def test_the_study_is_the_demo_with_more_people() -> None:
    assert presets.source("study").count("\n") < 50
    demo, study = values(presets.tree("demo")), values(presets.tree("study"))
    assert study["scrape"]["queries"] == demo["scrape"]["queries"]
    assert demo["scrape"]["demo"]["portraits"] < study["scrape"]["demo"]["portraits"]
    assert {key: demo[key] for key in ("crop", "pairs", "build")} == {
        key: study[key] for key in ("crop", "pairs", "build")
    }
    assert "extends" not in study


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("demo", "scrape.delay", 0),
        ("demo", "crop.domains.anime.rotate", 45),
        ("demo", "pairs.min_agreement", 0.6),
        ("demo", "build.test", 0.12),
        ("hair", "crop.align", "ffhq"),
        ("hair", "scrape.min_side", 300),
        ("hair", "train.cyclegan.model.preset", "hair"),
        ("icon", "dedup.radius", 4),
        ("icon", "crop.domains.icons.align", "none"),
        ("icon", "train.ugatit.data.windows.b.least", 0.7),
        ("selfie2anime", "train.cyclegan.run.epochs", 100),
        ("smile", "crop.brightness", [40, 225]),
        ("study", "train.ugatit.run.steps", 600),
        ("study", "train.cagan.run.steps", 1000),
        ("swimwear", "pairs.max_others", 0.7),
        ("swimwear", "train.cagan.model.variant", "modern"),
    ],
)
def test_what_makes_each_special(name: str, key: str, value: object) -> None:
    found: Any = yaml.safe_load(presets.text(name))
    for step in key.split("."):
        found = found[step]
    assert found == value


def test_a_site_file_below_the_root_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("mine: true\n", "utf-8")
    assert presets.write("swimwear", tmp_path) == [tmp_path / f for f in ("params.yaml", "dvc.yaml", ".dvcignore")]
    assert (tmp_path / "site.yaml").read_text("utf-8") == "mine: true\n"


def test_the_demo_in_a_clone_uses_the_demo_s_own_site(tmp_path: Path) -> None:
    for site in ("site", "shop"):
        path = tmp_path / "pipeline" / "demo" / f"{site}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("name: x\n", "utf-8")
    assert presets.write("demo", tmp_path)[0] == tmp_path / "params.yaml"
    assert (tmp_path / "params.yaml").read_text("utf-8") == presets.text("demo")


def test_a_params_file_that_is_there_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("mine: 1\n", "utf-8")
    with pytest.raises(UsageError, match="there already") as told:
        presets.write("hair", tmp_path)
    assert "--force" in told.value.hint
    assert (tmp_path / "params.yaml").read_text("utf-8") == "mine: 1\n"
    presets.write("hair", tmp_path, force=True)
    assert (tmp_path / "params.yaml").read_text("utf-8") == presets.text("hair")


def test_a_typo_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'swimwear'"):
        presets.write("swimware", tmp_path)
    assert not list(tmp_path.iterdir())


def test_init_makes_an_empty_review_file_and_never_empties_one(tmp_path: Path) -> None:
    presets.write("demo", tmp_path)
    assert (tmp_path / decisions.FILE).read_bytes() == (tmp_path / placements.FILE).read_bytes() == b""
    (tmp_path / decisions.FILE).write_text("decided", "utf-8")
    presets.write("demo", tmp_path, force=True)
    assert (tmp_path / decisions.FILE).read_text("utf-8") == "decided"
