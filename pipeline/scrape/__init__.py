"""What becomes of a candidate: its bytes are examined and stored, its fate is journalled, its row is decided."""
