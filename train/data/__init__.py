"""Datasets over the manifests, transforms, caches."""
