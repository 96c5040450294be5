"""Bytes <-> pixels, geometry, warping, quality, picture storage."""
