"""Where a person looks and decides: sort, list, select."""
