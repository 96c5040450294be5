"""The review page: no build step, nothing from outside."""
