"""The arrays that hashing takes and gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]  # [n], 64 bits each
Positions = NDArray[np.int64]  # [n]
Pairs = NDArray[np.int64]  # [n, 2] positions
