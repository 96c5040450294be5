"""Keys of APIs: from the environment or a file of the user's own, never from a command line or a params.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from curate.pipeline.core.documents import from_yaml
from curate.pipeline.core.errors import AuthError
from curate.pipeline.core.files import NOT_THERE, reading


def variable(source: str) -> str:
    """The environment variable of a source's key."""
    return f"CURATE_{source.upper()}_KEY"


def read(source: str) -> str | None:
    """The key of `source`, or None. Raises AuthError for a key that cannot be sent or a file that others can read."""
    key = (os.environ.get(variable(source)) or _filed(source) or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise AuthError(f"the key of {source} has characters that no key has", f"set {variable(source)} anew")
    return key or None


def file() -> Path:
    """Where keys may be kept: lines of `source: key`, readable by their owner alone."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "curate" / "keys.yaml"


def _filed(source: str) -> str | None:
    path = file()
    try:
        with reading(path):
            open_to = path.stat().st_mode & 0o077
            keys: Any = from_yaml(path.read_text("utf-8"))
    except (*NOT_THERE, ValueError):
        return None
    if not isinstance(keys, dict) or source not in keys:
        return None
    if open_to:
        raise AuthError(f"{path}: others can read the keys in it", f"run: chmod 600 {path}")
    return str(keys[source])
