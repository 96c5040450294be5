"""The stage `curate train`: one run from config to metrics, and everything that watches it."""
