"""A generator in an ONNX file, drawn by hand: it swaps the colours of what it sees within a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from curate.pipeline.faces.config import CropRules
from curate.train.runs.onnx_facts import OnnxFacts
from curate.train.runs.photo_networks import PhotoRules

SIDE = 64


def write(path: Path, *, styled: bool = False, told: bool = True) -> Path:
    """Writes such a file, for faces that are cut at 128 px; `styled` ones add a style's number to what they paint."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    oval = np.zeros((1, 1, SIDE, SIDE), np.float32)
    oval[..., 16:48, 16:48] = 1
    constants = {"oval": oval, "order": np.array([1, 2, 0]), "rest": 1 - oval, "axes": np.array([2, 3])}
    nodes = [helper.make_node("Gather", ["image", "order"], ["swapped"], axis=1)]
    if styled:
        nodes.append(helper.make_node("Unsqueeze", ["z", "axes"], ["shift"]))
        nodes.append(helper.make_node("Add", ["swapped", "shift"], ["paint"]))
    else:
        nodes.append(helper.make_node("Identity", ["swapped"], ["paint"]))
    nodes += [
        helper.make_node("Mul", ["paint", "oval"], ["inside"]),
        helper.make_node("Mul", ["image", "rest"], ["outside"]),
        helper.make_node("Add", ["inside", "outside"], ["translated"]),
        helper.make_node("Identity", ["oval"], ["mask"]),
    ]
    shapes: dict[str, list[Any]] = {name: ["N", 3, SIDE, SIDE] for name in ("image", "translated", "paint")}
    shapes |= {"mask": [1, 1, SIDE, SIDE], "z": ["N", 1]}
    info = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph = helper.make_graph(
        nodes,
        "painter",
        [info["image"], *([info["z"]] if styled else [])],
        [info[name] for name in ("translated", "mask", "paint")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if told:
        rules = PhotoRules({"a": "long", "b": "short"}, dict.fromkeys("ab", CropRules(size=128)))
        styles = [[number / 10] for number in range(3)] if styled else ()
        facts = OnnxFacts("Painter", "runs/painter", 7, "a2b", SIDE, rules, styles)
        helper.set_model_props(model, facts.as_metadata())
    onnx.save(model, path)
    return path
