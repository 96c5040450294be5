"""The drawn world that stands in for the web: portraits, anime faces and garments with ground truth, as a real site."""
