"""The training half of curate: from the manifests to translated photos."""
