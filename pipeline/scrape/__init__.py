"""What becomes of a candidate: its bytes are inspected and stored, the outcome is journalled, its row is decided."""
