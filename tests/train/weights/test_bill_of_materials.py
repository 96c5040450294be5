"""What an installation is made of: complete, as CycloneDX has it, and the same each time."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from curate.pipeline.core import installed_packages
from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces.model_files import MODELS
from curate.train.weights import bill_of_materials, shipped
from tests.support.command import curate


class Fake(metadata.Distribution):
    """An installed distribution that is none."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


FAKES = {
    "curate-gan": "Version: 0.1.0\nLicense-Expression: Apache-2.0\nRequires-Dist: Base_Lib>=2\n"
    'Requires-Dist: other[fast]>=1; extra == "train"\nRequires-Dist: absent; sys_platform == "win32"',
    "base-lib": "Version: 2.1\nClassifier: License :: OSI Approved :: MIT License\nRequires-Dist: curate-gan",
    "other": 'Version: 1.0\nLicense: BSD\nRequires-Dist: quick; extra == "fast"\nRequires-Dist: tests; extra == "dev"',
    "quick": "Version: 3\nLicense: " + "All rights are reserved. " * 9,
    "tests": "Version: 1\n",
    "danbooru-utility": "Version: 0.1.20\nLicense: MIT\nRequires-Dist: tests",
}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which few packages are installed."""

    def distribution(name: str) -> metadata.Distribution:
        name = installed_packages.normal(name)
        if name not in FAKES:
            raise metadata.PackageNotFoundError(name)
        return Fake(f"Metadata-Version: 2.4\nName: {name}\n{FAKES[name]}\n")

    monkeypatch.setattr(metadata, "distribution", distribution)
    monkeypatch.setattr(metadata, "version", lambda name: distribution(name).version)


def test_a_package_is_there_with_what_it_requires_and_nobody_else(few: None) -> None:
    own, *others = installed_packages.installed("curate_gan", ["train"], ["danbooru_utility", "absent"])
    assert (own.name, own.license, own.expression, own.requires) == (
        "curate-gan",
        "Apache-2.0",
        True,
        ("base-lib", "other"),
    )
    assert [(one.name, one.license, one.requires) for one in others] == [
        ("base-lib", "MIT License", ("curate-gan",)),
        ("danbooru-utility", "MIT", ()),
        ("other", "BSD", ("quick",)),
        ("quick", "", ()),
    ]


def test_the_document_is_as_cyclonedx_has_it(few: None, tmp_path: Path) -> None:
    said = curate("sbom", "--out", tmp_path / "sbom.json").stdout
    assert "4 packages" in said and "no licence stated: quick" in said
    text = (tmp_path / "sbom.json").read_text("utf-8")
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    parts = [bill["metadata"]["component"], *bill["components"]]
    refs = [part["bom-ref"] for part in parts]
    assert len(set(refs)) == len(refs)
    for part in parts:
        assert part["type"] in {"application", "library", "machine-learning-model"} and part["name"]
        assert part["type"] == "machine-learning-model" or part["purl"] == part["bom-ref"]
        for entry in part.get("licenses", []):
            assert set(entry) == {"expression"} or set(entry["license"]) in ({"id"}, {"name"})
        for digest in part.get("hashes", []):
            assert digest["alg"] == "SHA-256" and re.fullmatch("[0-9a-f]{64}", digest["content"])
    graph = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert list(graph) == refs and {ref for needs in graph.values() for ref in needs} <= set(refs)
    curate("sbom", "--out", tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text("utf-8") == text


def test_every_model_is_there_with_its_hash_and_its_terms(few: None) -> None:
    models = {one["name"]: one for one in bill_of_materials.document()["components"] if "hashes" in one}
    assert models.keys() == {*MODELS, *shipped.SHIPPED}
    for name, model in MODELS.items():
        assert models[name]["hashes"][0]["content"] == model.sha256
        assert models[name]["licenses"] == [{"license": {"name": model.license}}]
    assert all(text.endswith("CC0") for text in shipped.SHIPPED.values())
    assert {models[name]["licenses"][0]["license"]["id"] for name in shipped.SHIPPED} == {"CC0-1.0"}


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bill_of_materials, "DISTRIBUTION", "curate-gan-that-is-nowhere")
    with pytest.raises(UsageError, match="is not installed here"):
        bill_of_materials.document()
