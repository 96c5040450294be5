"""What a run is: its config, its folder, its networks."""
