"""Readers of strangers' bytes under a fuzzer that is led by coverage: make fuzz."""
