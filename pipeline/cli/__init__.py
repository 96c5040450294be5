"""The commands of the data half: flags in, text out; the only place that prints."""
