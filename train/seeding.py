"""Random numbers as a pure function of names: the same seed, step and purpose give the same draws in every run."""

from __future__ import annotations

import hashlib

import torch


def seed_of(*names: int | str) -> int:
    """63 bits that depend on `names` alone."""
    digest = hashlib.blake2b(repr(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*names: int | str) -> torch.Generator:
    """A generator on the CPU that depends on `names` alone, so that every device sees the same draws."""
    return torch.Generator().manual_seed(seed_of(*names))
