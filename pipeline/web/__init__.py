"""What a page on this machine stands on: who may ask it, what it sends along, and the server that runs it."""
