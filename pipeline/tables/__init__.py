"""The manifests: schema, reading, writing, decisions, splits."""
