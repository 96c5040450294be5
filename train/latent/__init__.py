"""The latent codes of generators: pictures from seeds, labels, directions, photos projected and edited."""
