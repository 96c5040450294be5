"""What the options of `curate translate` say, and which of them say nothing together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from curate.pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from curate.train.runs.photo_networks import PhotoNetworks
    from curate.train.translate.pictures import Layout, Output
    from curate.train.translate.translator import Size


def check_options(
    inputs: list[Path] | None,
    split: str | None,
    article: list[Path] | None,
    worn: Path | None,
    weights: list[Path] | None,
    run: Path | None,
    best: str | None,
    system: str | None,
    map_: list[str] | None,
    *,
    align: bool,
    all_faces: bool,
) -> None:
    """Raises UsageError for options of which one has no effect beside the other."""
    if bool(inputs) == bool(split):
        raise UsageError(
            "INPUT or --split: one of them says what to translate", "curate translate photo.jpg -o out.png"
        )
    without_effect = (
        (weights and run, "--weights with --run: two places of networks"),
        (weights and best, "--best with --weights: only a run knows its best networks"),
        (system and not weights, "--system without --weights: a run knows its recipe"),
        (map_ and not weights, "--map without --weights: it renames what is in another project's file"),
        (split and (article or worn), "--split with --article or --worn: a split has both"),
        (worn and not article, "--worn without --article: nothing is changed for anything"),
        (all_faces and not align, "--all-faces with --no-align: a photo that is taken whole has no faces"),
        (article and (all_faces or not align), "--article: whole photos, in which no faces are looked for"),
    )
    for found, message in without_effect:
        if found:
            raise UsageError(message, "leave one of them out")


def check_onnx(onnx: Path | None, given: dict[str, object]) -> None:
    """Raises UsageError for options that say where other networks are, or that ask for what only torch does."""
    if onnx is not None and (option := next((name for name, value in given.items() if value), None)):
        raise UsageError(f"{option} with --onnx: an ONNX file is all of its networks", f"leave {option} out")


def check_try_on(
    networks: PhotoNetworks,
    direction: str | None,
    size: str | None,
    choice: tuple[str | None, int | None, int | None],
    *,
    align: bool,
    all_faces: bool,
) -> None:
    """Raises UsageError for options that mean nothing to networks that put articles on people."""
    given = {
        "--direction": direction,
        "--size": size,
        "--no-align": not align or None,
        "--all-faces": all_faces or None,
    }
    for option, value in (given | dict(zip(("--members", "--styles", "--style"), choice, strict=True))).items():
        if value is not None:
            raise UsageError(
                f"{option}: {networks.source} puts articles on people, in whole photos at their own size",
                f"leave {option} out",
            )


def known_size(text: str | None) -> Size | None:
    """What --size says. Raises UsageError."""
    if text is None or text == "photo":
        return "photo" if text else None
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"--size {text}: neither px nor 'photo'", "--size 256, or --size photo with --no-align")
    return int(text)


def known_output(
    layout: str | None, mark: str | None, certificate: Path | None, key: Path | None, *, gif: bool
) -> Output:
    """What is wanted of each photo. Raises UsageError for words that mean nothing, alone or together."""
    from curate.train.translate.content_credentials import ContentCredentials
    from curate.train.translate.pictures import Output

    known: dict[str, Layout] = {"photo": "photo", "crop": "crop", "compare": "compare"}
    if layout is not None and layout not in known:
        raise UsageError(f"--layout {layout}: there are {', '.join(known)}", "photo is what you get without it")
    shown = known[layout or "photo"]
    if gif and layout == "compare":
        raise UsageError("--gif with --layout compare: each shows before and after", "leave one of them out")
    if mark not in (None, "c2pa"):
        raise UsageError(f"--mark {mark}: there is c2pa", "that they are synthetic stands in all pictures without it")
    if mark is None and (certificate or key):
        raise UsageError("--certificate and --key without --mark: nothing is signed", "add --mark c2pa")
    if mark is None:
        return Output(shown, gif=gif)
    if certificate is None or key is None:
        raise UsageError(
            "--mark c2pa: by whom?", "--certificate chain.pem --key key.pem; docs/guide/training.md says how"
        )
    return Output(shown, gif=gif, mark=ContentCredentials(certificate, key))
