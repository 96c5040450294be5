"""The stage `curate crop`: detect, align, measure -> manifests/crops.parquet."""
