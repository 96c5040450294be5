"""What a sheet of pictures says of boxes in them."""

from __future__ import annotations

from typing import Any

import pytest

from curate.pipeline.pages.contact_sheet import percent


@pytest.mark.parametrize("size", [None, (None, 100), (100, None)])
def test_a_box_in_a_picture_whose_size_nobody_noted_is_left_out(size: Any) -> None:
    assert percent([[10, 10, 50, 50], None], size) == []
    assert percent([[10, 10, 50, 50], None], (100, 100)) == [(10.0, 10.0, 50.0, 50.0)]
