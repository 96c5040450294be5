"""What everything stands on and what changes no result: errors, config, files, processes."""
