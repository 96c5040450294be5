"""Files that are broken, or hostile, or something else, and our own."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from curate.pipeline.core.errors import UsageError
from curate.train.weights import exchange, saved
from tests.support.foreign_weights import SIDE, cyclegan, cyclegan_files, ugatit, ugatit_content

torch.set_num_threads(1)


class Hostile:
    """What it does when it is loaded: leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> object:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "latest_net_G_A.pth", tmp_path / "trace"
    content = {**cyclegan()["net_G_A"].state_dict(), "extra": Hostile(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UsageError, match=r"refused: loading it would run code of its own \(posix.system\)"):
        exchange.read(path)
    assert not trace.exists()


def test_a_pickled_network_is_refused_with_its_class(tmp_path: Path) -> None:
    path = tmp_path / "whole.pth"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(UsageError, match=r"run code of its own \(torch.nn.modules.linear.Linear\)"):
        exchange.read(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_script_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), path)
    with pytest.raises(UsageError, match="a TorchScript archive is a program"):
        exchange.read(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_short_is_broken(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "latest_net_G_A.pth"
    torch.save(dict(cyclegan()["net_G_A"].state_dict()), path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for share in (0.0, 0.1, 0.6, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UsageError, match=str(path)):
            exchange.read(path)


def test_files_of_other_kinds_say_so(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    path.write_text("<html>404</html>")
    with pytest.raises(UsageError, match="not a file of weights"):
        exchange.read(path)
    path.write_bytes(pickle.dumps({"a": 1}, protocol=4))
    with pytest.raises(UsageError, match=r"not a file of weights|holds no weights"):
        exchange.read(path)
    np.savez(path.with_suffix(".npz"), a=np.ones(3))
    with pytest.raises(UsageError, match="not the networks of a system that we know"):
        exchange.read(path.with_suffix(".npz"))
    torch.save(torch.ones(3), path)
    with pytest.raises(UsageError, match="holds a single tensor"):
        exchange.read(path)
    torch.save({"epoch": 3}, path)
    with pytest.raises(UsageError, match="holds no weights\n  keys: epoch"):
        exchange.read(path)
    torch.save(dict(nn.Linear(2, 2).state_dict()), path)
    with pytest.raises(UsageError, match="not the networks of a system that we know"):
        exchange.read(path)


def test_a_missing_file_an_empty_folder_and_a_wrong_system(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        exchange.read(tmp_path / "nothing.pth")
    with pytest.raises(UsageError, match="no file of weights in this folder"):
        exchange.read(tmp_path)
    cyclegan_files(tmp_path, cyclegan())
    with pytest.raises(UsageError, match="holds networks of cyclegan, not of ugatit"):
        exchange.read(tmp_path, "ugatit")
    with pytest.raises(UsageError, match="there is no system 'cyclgan'; did you mean 'cyclegan'"):
        exchange.read(tmp_path, "cyclgan")


def test_old_files_and_wrapped_ones_are_read(tmp_path: Path) -> None:
    state = dict(cyclegan()["net_G_A"].state_dict())
    path = tmp_path / "netG_A2B.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert exchange.read(path).networks["g_a2b"].keys() == state.keys()
    torch.save({"netG_A2B": state, "optimizer": {"state": {}, "param_groups": []}, "epoch": 7}, path)
    assert exchange.read(path).networks["g_a2b"].keys() == state.keys()


@pytest.mark.parametrize("light", [True, False])
def test_our_own_file_holds_what_came_in(tmp_path: Path, light: bool) -> None:
    path = tmp_path / "x_params_latest.pt"
    torch.save(ugatit_content(ugatit(light)), path)
    imported = exchange.read(path)
    again = exchange.read(saved.save(imported, tmp_path / "x.safetensors"))
    assert (again.system, again.config, again.side, again.notes) == (
        imported.system,
        imported.config,
        None if light else SIDE,
        imported.notes,
    )
    for role, state in imported.networks.items():
        assert state.keys() == again.networks[role].keys()
        assert all(torch.equal(value, again.networks[role][key]) for key, value in state.items())
    with pytest.raises(UsageError, match="holds networks of ugatit, not of cyclegan"):
        exchange.read(tmp_path / "x.safetensors", "cyclegan")


def test_show_tells_names_shapes_and_systems(tmp_path: Path) -> None:
    path = tmp_path / "x_params_latest.pt"
    networks = ugatit()
    torch.save(ugatit_content(networks), path)
    shown = exchange.show(path)
    assert [part.where for part in shown] == [f"{path}, {name}" for name in networks]
    assert {part.system for part in shown} == {"ugatit"}
    assert shown[0].parameters == sum(p.numel() for p in networks["genA2B"].parameters())
    assert shown[0].tensors["DownBlock.1.weight"] == ("float32", (4, 3, 7, 7))
    torch.save(dict(nn.Linear(2, 3).state_dict()), path)
    assert exchange.show(path)[0].system is None
