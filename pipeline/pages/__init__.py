"""What HTML pages are made of: templates, thumbnails, contact sheets."""
