"""The data half of curate: from a query to the manifests that training reads. Never imports torch."""

import os

# Arrow's own allocator keeps what was freed; the system's gives it back, and tables come and go here.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
