"""How far networks, gradients, steps and pictures are from the references', as the tables of docs/internals/parity.md.

    CURATE_CYCLEGAN=... CURATE_UGATIT=... CURATE_COMPACT=... CURATE_BLOG=... CURATE_COUNCIL=... CURATE_STYLEGAN2=... \\
        CURATE_STYLEGAN3=... python -m tests.bench.parity [--full]

Each names a checkout: of taesungp/contrastive-unpaired-translation, znxlwm/UGATIT-pytorch, aitorzip/PyTorch-CycleGAN,
zassou65535/image_converter, Onr/Council-GAN, NVlabs/stylegan2-ada-pytorch, NVlabs/stylegan3. What is not named is left
out. Weights go through the reference's own files and `curate weights`' reader. Without --full, only the small
configurations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from tests.bench.parity import council, stylegan2, translators
from tests.bench.parity.shared import Row, forget, reference

SECTIONS: Sequence[tuple[str, str, str, Callable[[Any], Iterator[Row]]]] = (
    ("Networks", "CURATE_UGATIT", "networks", translators.ugatit_rows),
    ("Networks", "CURATE_BLOG", "module.generator", translators.blog_rows),
    ("Networks", "CURATE_CYCLEGAN", "models.networks", translators.cyclegan_rows),
    ("Networks", "CURATE_COMPACT", "models", translators.compact_rows),
    ("Gradients", "CURATE_UGATIT", "networks", translators.gradient_rows),
    ("Steps", "CURATE_UGATIT", "networks", lambda module: translators.step_rows("ugatit")),
    ("Steps", "CURATE_CYCLEGAN", "models.networks", lambda module: translators.step_rows("cyclegan")),
    ("Pictures", "CURATE_UGATIT", "networks", translators.picture_rows),
    ("Council-GAN", "CURATE_COUNCIL", "trainer_council", council.rows),
    ("StyleGAN2", "CURATE_STYLEGAN2", "training.networks", stylegan2.rows),
    ("StyleGAN2 of stylegan3", "CURATE_STYLEGAN3", "training.networks_stylegan2", stylegan2.network_rows),
)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1234)
    for title, variable, module, rows in SECTIONS:
        forget()
        found = reference(variable, module)
        if found is None:
            sys.stdout.write(f"| {title} | {variable} names no checkout |\n")
            continue
        for row in rows(found):
            sys.stdout.write(f"| {title} | {' | '.join(row)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
