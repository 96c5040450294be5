"""The docs are true: links lead somewhere, names exist, commands can be typed, the reference is what is generated."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import runpy
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml

from curate.app import app
from curate.pipeline.cli.params_file import sections
from curate.pipeline.core.config import SECTIONS, load
from curate.pipeline.core.config import parse as parse_section
from curate.train.recipes import RECIPES
from curate.train.runs.config import read
from tests.architecture.imports import FOLDERS, ROOT
from tests.architecture.test_imports import MAY_IMPORT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
WRITTEN = re.compile(r"^(\w+/)+[\w.-]+\.(py|html|css|yaml|yml|toml|md|js)$")  # a file of the repository, by its look
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
USES = ("hair", "icon", "selfie2anime", "clothes", "smile")  # what has a guide in two languages
MADE_BY_COMMANDS = ("demo/", "processed/", "raw/", "manifests/")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """The code of a page: its language and its text."""
    for found in FENCE.finditer(page.read_text("utf-8")):
        yield found.group(1), found.group(2)


def typed_lines(text: str) -> list[str]:
    """The lines of a shell's block as they are typed: one that ends in a backslash goes on."""
    return re.sub(r"\\\n\s*", " ", text).splitlines()


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        path = (page.parent / place).resolve() if place else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_and_folders_that_are_named_exist(page: Path) -> None:
    for word in re.findall(r"`([^`\s]+)`", prose(page)):
        inside = word.startswith(tuple(f"{top}/" for top in (*FOLDERS, "tests", "docs", "src")))
        if inside and "NAME" not in word and not re.search(r"[*{]", word):
            assert (ROOT / word).exists() or word.startswith("train/ "), word
        elif WRITTEN.match(word) and not word.startswith(MADE_BY_COMMANDS):
            assert (ROOT / word).exists(), word
    for word in re.findall(r"\btests/[\w/]+\.py\b", page.read_text("utf-8")):
        assert (ROOT / word).is_file(), word


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_is_named_below_curate_can_be_imported(page: Path) -> None:
    for name in re.findall(r"`(curate(?:\.\w+)+)", prose(page)):
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), attribute), name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_python_parses_and_imports_what_there_is(page: Path) -> None:
    for language, text in blocks(page):
        for node in ast.walk(ast.parse(text)) if language in {"python", "py"} else ():
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in {"curate", *FOLDERS}:
                assert node.module.split(".")[0] == "curate", node.module
                if ".recipes.plain." in node.module:
                    continue  # the page's own example; test_docs_examples.py runs it
                module: Any = importlib.import_module(node.module)
                for alias in node.names:
                    if not hasattr(module, alias.name):
                        importlib.import_module(f"{node.module}.{alias.name}")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_yaml_is_valid_params(page: Path, tmp_path: Path) -> None:
    for language, text in blocks(page):
        if language != "yaml" or "jobs:" in text:
            continue
        sections = yaml.safe_load(text)
        (tmp_path / "params.yaml").write_text(text, "utf-8")
        given = load(tmp_path)  # refuses sections that do not exist
        for name in sections.keys() - {"train"}:
            parse_section(SECTIONS.resolve(name), sections[name], name)
        for recipe in sections.get("train", {}):
            read(given, recipe)


@cache
def keys() -> Mapping[str, set[str]]:
    """The keys of each section; those of `model`, `run` and `data` of every recipe together."""
    found = {name: set(kind.__struct_fields__) for name, kind in sections().items()}
    for name in [*found]:
        if name.startswith("train."):
            group = name.split(".", 2)[2]
            found[group] = found.get(group, set()) | found[name]
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_keys_of_params_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    code = [*re.findall(r"`([^`\n]+)`", prose(page)), *(block for _, block in blocks(page))]
    for part in code:
        for section, key in re.findall(r"(?<![\w./-])([a-z]+)\.([a-z]\w*)\b(?!\.?\()", part):
            if section in keys() and key not in {"parquet", "py", "jsonl", "md", "yaml", "html"}:
                assert key in keys()[section] or f"{section}.{key}" in keys(), f"{section}.{key}"
    for section, table in re.findall(r"^\| key of `([\w.]+)`[^\n]*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            unknown = set(re.findall(r"`(\w+)`", row.split("|")[1])) - keys()[section]
            assert not unknown, f"{section}: {unknown}"


def options() -> Mapping[str, set[str]]:
    """The options of each command, by its full name."""
    found: dict[str, set[str]] = {}

    def visit(group: typer.Typer, name: str) -> None:
        for command in group.registered_commands:
            words: set[str] = set()
            for parameter in inspect.signature(command.callback or visit).parameters.values():
                info = get_args(parameter.annotation)[1]
                own = [str(text) for text in (info.default, *(info.param_decls or ())) if str(text).startswith("-")]
                words |= {word for text in own or [f"--{parameter.name.replace('_', '-')}"] for word in text.split("/")}
            found[f"{name} {command.name}"] = words
        for inner in group.registered_groups:
            assert inner.typer_instance is not None
            visit(inner.typer_instance, f"{name} {inner.name}")

    visit(app, "curate")
    return found


def commands(page: Path) -> Iterator[str]:
    """Every `curate ...` of a page: those in code blocks, line by line, and those between backticks."""
    for language, text in blocks(page):
        for line in typed_lines(text) if language in {"", "sh"} else ():
            for part in re.split(r"&&|\|\s|;", line.partition(" #")[0]):
                if part.strip().startswith("curate "):
                    yield part.strip()
    yield from (word for word in re.findall(r"`(curate [^`]+)`", prose(page)))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_can_be_typed(page: Path) -> None:
    known = options()
    for text in commands(page):
        words = shlex.split(text.replace("[", " ").replace("]", " "))
        name = " ".join(words[:2])
        if any(other.startswith(f"{name} ") for other in known) and len(words) > 2:
            name = " ".join(words[:3])
        if words[1].isupper() or words[1].startswith("--") or any(other.startswith(f"{name} ") for other in known):
            continue
        assert name in known, text
        for word in words:
            if word.startswith("-") and not re.fullmatch(r"-\d+(\.\.\d+)?", word):
                assert word.partition("=")[0] in known[name] | {"--help"}, text


def typed(page: Path) -> list[Any]:
    """What readers type or write by a page: its commands, one by one without comments, and its settings."""
    found: list[Any] = []
    for language, text in blocks(page):
        if language in {"", "sh"}:
            found += [" ".join(words) for line in typed_lines(text) if (words := shlex.split(line, comments=True))]
        elif language == "yaml":
            found.append(yaml.safe_load(text))
    return found


@pytest.mark.parametrize("page", [DOCS / f"guide/ja/{use}.md" for use in USES], ids=named)
def test_a_translated_page_has_the_commands_of_the_english_one(page: Path) -> None:
    assert typed(page) == typed(DOCS / "guide" / page.name)


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "index.md"
    linked = re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .+$", index.read_text("utf-8"), re.MULTILINE)
    assert sorted(linked) == sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md") if p != index)


def test_every_picture_is_shown() -> None:
    shown = {Path(name).name for page in PAGES for name in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8"))}
    assert {path.name for path in (DOCS / "images").iterdir()} <= shown


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "make demo" in text
    assert "make test" in text


def test_the_readme_names_every_preset_and_recipe() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    presets = [path.stem for path in (ROOT / "presets").glob("*.yaml") if "." not in path.stem]
    assert not [name for name in (*presets, *RECIPES) if not re.search(rf"\b{name}\b", text, re.IGNORECASE)]


def test_the_reference_is_what_is_generated() -> None:
    made: Mapping[Path, str] = runpy.run_path(str(DOCS / "generate.py"))["pages"]()
    assert made
    for path, text in made.items():
        assert path.read_text("utf-8") == text, f"{path.name} is not what the code says: make docs"


def test_the_plots_are_what_is_drawn() -> None:
    drawn: Mapping[str, str] = runpy.run_path(str(DOCS / "plot.py"))["pictures"]()
    assert drawn
    for name, text in drawn.items():
        assert (DOCS / "images" / name).read_text("utf-8") == text, f"{name} is not what the numbers say: make docs"


def test_the_architecture_has_every_folder_and_the_table_of_imports() -> None:
    text = (DOCS / "internals/architecture.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.+) \|$", text, re.MULTILINE))
    assert {row: " ".join(re.findall(r"`([\w.]+)`", allowed)) for row, allowed in rows.items()} == MAY_IMPORT
    folders = [path for top in ("pipeline", "train") for path in (ROOT / top).iterdir() if any(path.glob("*.py"))]
    assert not [path.name for path in folders if f"| `{path.relative_to(ROOT).as_posix()}/` |" not in text]


def test_every_column_and_reason_is_explained() -> None:
    for page in ("tables", "reasons"):
        text = (DOCS / f"reference/{page}.md").read_text("utf-8")
        assert not re.findall(r"^\| `\w+`.*\|\s*\|$", text, re.MULTILINE)


def test_each_promise_names_tests_that_there_are() -> None:
    promised = set(re.findall(r"`(test_\w+)`", (DOCS / "internals/reliability.md").read_text("utf-8")))
    written = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    tests = {name for text in written for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}
    assert promised
    assert promised <= tests
