"""The stage `curate build`: what trains, and its split -> manifests/dataset.parquet."""
