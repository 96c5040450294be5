"""The data half of curate: from a query to the manifests that training reads. Never imports torch."""
