"""`curate serve`: a page on this machine that translates the photos that are dropped on it."""
