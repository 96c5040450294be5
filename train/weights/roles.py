"""Which of two generators a name means, and which discriminator, as far as people's names say it."""

from __future__ import annotations

import re
from collections.abc import Iterable

A2B = r"(a_?2_?b|a_?to_?b|ab|x_?2_?y|x_?to_?y|xy)"
B2A = r"(b_?2_?a|b_?to_?a|ba|y_?2_?x|y_?to_?x|yx)"
BEFORE, AFTER = r"(?:^|[_\-. ]|g|gen|generator|net)", r"(?:$|[_\-. ])"


def generator_role(label: str) -> str | None:
    """g_a2b or g_b2a, by a label as netG_A2B, G_AB, generator_AtoB_final, or the authors' G_A; None where it says none.

    The authors' G_A makes images of b out of images of a.
    """
    text = label.lower()
    for role, direction in (("g_a2b", A2B), ("g_b2a", B2A)):
        if re.search(f"{BEFORE}{direction}{AFTER}", text):
            return role
    if name := re.search(rf"(?:^|[_\-. ]|net)g(?:en|enerator)?_?([abxy]){AFTER}", text):
        return "g_a2b" if name[1] in "ax" else "g_b2a"
    return None


def discriminator_side(label: str) -> str | None:
    """The letter a or b of a label as D_A, netD_B, discriminator_a. What it means depends on the project."""
    name = re.search(rf"(?:^|[_\-. ]|net)d(?:is|isc|iscriminator)?_?([abxy]){AFTER}", label.lower())
    return None if name is None else "a" if name[1] in "ax" else "b"


def judges_its_letter(generators: Iterable[str]) -> bool | None:
    """Whether D_A judges images of a, as beside netG_A2B; beside the authors' G_A it judges b. None without a hint."""
    for label in generators:
        if generator_role(label):
            return re.search(f"{BEFORE}({A2B}|{B2A}){AFTER}", label.lower()) is not None
    return None
