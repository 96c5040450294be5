"""How doubtful it is what became of a crop: whose neighbours are of another domain first, then who is near a threshold.

Measures have no common unit, so nearness is a rank: of all crops on the same side of a threshold, the share that is
further from it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.pipeline.faces import criteria
from curate.pipeline.faces.config import CropRules
from curate.pipeline.tables.arrow import as_float

Values = NDArray[np.float64]  # [n]


def of_crops(crops: pa.Table, rules: Mapping[str, CropRules], votes: Values) -> Values:
    """[n], 0..2: above 1 for crops of which more than half of the `votes` ([n], 0..1, NaN: none) say another domain.

    `crops` have domain and the columns of the criteria, `rules` are those by domain that they were judged by.
    """
    near = np.zeros(crops.num_rows)
    for domain, own in rules.items():
        at = np.flatnonzero(pc.equal(crops["domain"], domain))
        for check in (*criteria.face_criteria(own), *criteria.crop_criteria(own)):
            values = as_float(crops[check.column])[at]
            for bound in (check.low, check.high):
                if np.isfinite(bound):
                    near[at] = np.maximum(near[at], nearness(values - bound))
    return np.where(votes > 0.5, 1.0 + np.nan_to_num(votes), near)


def nearness(margins: Values) -> Values:
    """For each of `margins`, [n], signed, the share on its side of 0 that is further from it; 0 for NaN."""
    shares = np.zeros(len(margins))
    for side in (margins >= 0, margins < 0):
        distances = np.abs(margins[side])
        ranks = np.searchsorted(np.sort(distances), distances, "right")
        shares[side] = 1.0 - ranks / max(len(distances), 1)
    return shares
