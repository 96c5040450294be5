"""CycleGAN, with options for hair."""
