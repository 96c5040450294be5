"""Council-GAN: several translators that have to agree, and no way back."""
