"""U-GAT-IT: translation with attention and adaptive normalisation."""
