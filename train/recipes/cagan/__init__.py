"""CAGAN: people in other people's garments, learned from Article/Human pairs."""
