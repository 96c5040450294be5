"""The stage `curate pairs`: Article/Human pairs -> manifests/pairs.parquet."""
