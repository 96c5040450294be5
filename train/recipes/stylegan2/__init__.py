"""StyleGAN2 with adaptive augmentation: pictures from noise, by way of a space of styles."""
