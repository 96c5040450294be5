"""What an installation is made of, packages and models, as CycloneDX has it: a JSON document for machines that check.

The same installation gives the same bytes: there is no serial number and no time in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.installed_packages import Package, installed
from curate.pipeline.core.optional_packages import DISTRIBUTION, PACKAGES
from curate.pipeline.faces.model_files import MODELS, Model
from curate.train.weights import shipped

SPEC = "1.6"


def document() -> dict[str, Any]:
    """The bill of this installation. Raises UsageError where curate runs without having been installed."""
    bringers = {model.package for model in MODELS.values() if model.package}
    try:
        own, *packages = installed(DISTRIBUTION, set(PACKAGES.values()), bringers)
    except metadata.PackageNotFoundError:
        raise UsageError(f"{DISTRIBUTION}: is not installed here", "in a clone: make install") from None
    models = [*map(_model, MODELS.values()), *map(_shipped, shipped.SHIPPED)]
    refs = [model["bom-ref"] for model in models]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {"component": _package(own, "application")},
        "components": [*(_package(one, "library") for one in packages), *models],
        "dependencies": [*_dependencies([own, *packages], refs), *({"ref": ref} for ref in refs)],
    }


def _dependencies(packages: Sequence[Package], models: Sequence[str]) -> list[dict[str, Any]]:
    refs = {one.name: _ref(one) for one in packages}
    needs = {one.name: [refs[name] for name in one.requires] for one in packages}
    needs[packages[0].name] += models
    return [{"ref": refs[name], "dependsOn": needs[name]} for name in refs]


def _ref(package: Package) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"


def _package(package: Package, kind: str) -> dict[str, Any]:
    ref = _ref(package)
    found: dict[str, Any] = {"type": kind, "bom-ref": ref, "name": package.name, "version": package.version}
    if package.expression:
        found["licenses"] = [{"expression": package.license}]
    elif package.license:
        found["licenses"] = [{"license": {"name": package.license}}]
    return {**found, "purl": ref}


def _model(model: Model) -> dict[str, Any]:
    found = _described(model.name, model.file, model.sha256, {"name": model.license})
    found["version"] = str(model.year)
    found["externalReferences"] = [{"type": "distribution" if model.fetched else "website", "url": model.url}]
    if model.package:
        found["properties"] = [{"name": "curate:package", "value": model.package}]
    return found


def _shipped(name: str) -> dict[str, Any]:
    """Networks that come with curate, all of which are CC0."""
    path = shipped.located([Path(name)])[0]
    found = _described(name, path.name, hashlib.sha256(path.read_bytes()).hexdigest(), {"id": "CC0-1.0"})
    return {**found, "version": metadata.version(DISTRIBUTION)}


def _described(name: str, file: str, sha256: str, terms: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{name}",
        "name": name,
        "description": file,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "licenses": [{"license": terms}],
    }
