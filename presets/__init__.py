"""Ready-made params.yaml files, one per use; `curate init NAME` copies one."""
