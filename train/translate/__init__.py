"""The stage `curate translate`: photos through trained networks; the Python API."""
