"""Perceptual hashes: compute, search, cluster, order."""
