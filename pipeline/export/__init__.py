"""`curate export`: the set in other trainers' layouts."""
