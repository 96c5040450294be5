"""The stage `curate dedup`: near-duplicates and people -> manifests/dedup.parquet."""
