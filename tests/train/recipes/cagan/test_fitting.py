"""Where the garment is, what is pasted over it, and where the article is laid: on people of three rectangles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from curate.pipeline.core.config import parse
from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Clock
from curate.train.recipes.cagan.config import CAGANConfig
from curate.train.recipes.cagan.fitting import SLEEVE_WORN, WarpedUNet, bending, paste
from curate.train.recipes.cagan.garment_region import GarmentRegion, foreground, matched, sampled, trunk
from curate.train.recipes.cagan.recipe import CAGAN

HEIGHT, WIDTH = 64, 48
RED, BLUE, GREY, SKIN = (0.9, -0.8, -0.8), (-0.8, -0.7, 0.9), (0.1, 0.15, 0.1), (0.6, 0.2, 0.0)


def filled(picture: Tensor, rows: slice, columns: slice, colour: tuple[float, float, float]) -> None:
    picture[:, rows, columns] = torch.tensor(colour)[:, None, None]


def person(colour: tuple[float, float, float], left: int = 14, sleeves: bool = False) -> Tensor:
    picture = torch.empty(3, HEIGHT, WIDTH)
    filled(picture, slice(None), slice(None), GREY)
    filled(picture, slice(6, 22), slice(left + 6, left + 14), SKIN)
    filled(picture, slice(22, 50), slice(left, left + 20), colour)
    for start in (left - 4, left + 20):
        filled(picture, slice(22, 48), slice(start, start + 4), colour if sleeves else SKIN)
    return picture


def article(colour: tuple[float, float, float]) -> Tensor:
    picture = torch.full((3, HEIGHT, WIDTH), 0.95)
    filled(picture, slice(20, 40), slice(18, 32), colour)
    return picture


def torso(left: int) -> Tensor:
    there = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    there[22:50, left : left + 20] = True
    return there


def test_a_garment_is_found_by_its_articles_colours_and_without_it_by_those_of_the_torso() -> None:
    humans = torch.stack([person(RED), person(BLUE, 16)])
    region = GarmentRegion()
    worn = torch.stack([article(RED), article(BLUE)])
    for _ in range(20):
        region.learn(region(humans, worn))
    for found in (region(humans, worn), region(humans, torch.ones_like(worn))):
        for map_, left in zip(found[:, 0], (14, 16), strict=True):
            assert map_[torso(left)].mean() > 0.85
            assert map_[~torso(left)].mean() < 0.08


def test_an_articles_foreground_is_what_differs_from_its_ground() -> None:
    assert foreground(article(BLUE)[None])[0, 0].sum() == 20 * 14


def test_a_trunk_has_no_sleeves_and_is_brought_to_another_one() -> None:
    bare, sleeved = torch.zeros(2, 1, 1, HEIGHT, WIDTH)
    bare[..., 22:50, 14:34] = sleeved[..., 22:50, 14:34] = 1
    sleeved[..., 22:48, 9:13] = sleeved[..., 22:48, 35:39] = 1
    assert torch.allclose(trunk(bare, SLEEVE_WORN), trunk(sleeved, SLEEVE_WORN), atol=1e-5)
    small = torch.zeros_like(bare)
    small[..., 10:24, 20:30] = 1
    place = matched(trunk(small, 0.0), trunk(bare, 0.0))
    grid = torch.nn.functional.affine_grid(place, [1, 1, HEIGHT, WIDTH], align_corners=False)
    brought = sampled(small, grid)
    assert (brought - bare).abs().mean() < 0.03


def test_people_are_pasted_into_the_garment_of_the_one_before_and_keep_the_rest() -> None:
    humans = torch.stack([person(RED), person(BLUE, 18)])
    worn = torch.stack([article(RED), article(BLUE)])
    regions = torch.stack([torso(14), torso(18)]).float()[:, None]
    torch.manual_seed(0)
    pasted = paste(humans, worn, regions)
    assert torch.equal(pasted.worn, worn.flip(0))
    for made, before, left, colour in zip(pasted.person, humans, (14, 18), (BLUE, RED), strict=True):
        assert torch.allclose(made[:, 30:40, left + 4 : left + 16].mean((1, 2)), torch.tensor(colour), atol=0.02)
        assert torch.equal(made[:, :16], before[:, :16])


def test_it_begins_with_the_article_over_the_garment() -> None:
    torch.manual_seed(0)
    network = WarpedUNet(8).eval()
    human, worn, wanted = person(RED)[None], article(RED)[None], article(BLUE)[None]
    for _ in range(20):
        network.region.learn(network.region(human, worn))
    with torch.no_grad():
        fitted = network(torch.cat((human, worn, wanted), 1))
    there = torso(14)
    assert fitted.shape[0, 0][there].mean() > 0.8
    assert fitted.warped[0][:, there].mean(1)[2] > 0.6
    assert fitted.alpha[0, 0][there].mean() > 0.7 > 0.3 > fitted.alpha[0, 0][~there].mean()
    assert bending(fitted.bend) == 0


def test_an_even_flow_is_not_bent() -> None:
    ramp = torch.linspace(-1, 1, 8).expand(1, 2, 8, 8)
    assert bending(ramp).item() == pytest.approx(0, abs=1e-6)
    assert bending(ramp**3) > 0.01


def test_pairs_teach_alone_unless_the_game_is_weighed_in() -> None:
    images = {"human": torch.stack([person(RED), person(BLUE, 18)])}
    images |= {"article": torch.stack([article(RED), article(BLUE)]), "other": torch.stack([article(BLUE)] * 2)}

    def turns(**keys: float) -> dict[str, set[str]]:
        torch.manual_seed(0)
        recipe = CAGAN(parse(CAGANConfig, {"variant": "warped", "width": 4, **keys}, "model"))
        return {update.optimizer: set(update.losses) for update in recipe.step(images, Clock(0, 10))}

    taught = {"pasted", "paint", "warped", "shape", "bend", "mask"}
    assert turns() == {"G": taught}
    both = turns(adversarial_weight=0.1, cycle_weight=1.0)
    assert both == {"D": {"real", "swapped", "wrong"}, "G": taught | {"gan", "cycle"}}


def test_other_variants_refuse_to_paste() -> None:
    with pytest.raises(UsageError, match="paste_weight"):
        CAGAN(parse(CAGANConfig, {"variant": "modern", "width": 4, "paste_weight": 1.0}, "model"))
