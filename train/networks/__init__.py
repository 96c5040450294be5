"""Networks: modules that know tensors alone."""
