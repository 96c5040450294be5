"""`curate sbom`: what this installation is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.train.cli.translate import Force


def sbom(
    context: Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path("sbom.cdx.json"),
    force: Force = False,
) -> None:
    """List packages and models with versions, licences and hashes: a bill of materials (SBOM), as CycloneDX JSON."""
    from curate.pipeline.core.outputs import OutputPlan
    from curate.train.weights import bill_of_materials

    bill = bill_of_materials.document()
    with OutputPlan([out], force=force) as plan, plan.write(out) as temporary:
        temporary.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", "utf-8")
    models = sum(one["type"] == "machine-learning-model" for one in bill["components"])
    unknown = [one["name"] for one in bill["components"] if "licenses" not in one]
    counts = {"packages": len(bill["components"]) - models, "models": models, "without_license": unknown}
    note = f"\n  no licence stated: {', '.join(unknown)}" if unknown else ""
    context.console.result({"file": str(out), **counts}, f"{out}: {counts['packages']} packages, {models} models{note}")
