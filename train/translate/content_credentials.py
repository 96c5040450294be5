"""Content Credentials (C2PA): a signed statement in the picture that it is synthetic, and who says so.

By c2pa-python, of the extra `c2pa`. Unlike XMP it can't be changed unseen; and as each signature is another, so are the
bytes of each writing.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging.synthetic import SOURCE_TYPE
from curate.train.translate.metadata import MadeBy

_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif"}
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_HINT = "C2PA wants a certificate for signing e-mail or documents and its private key, PEM files without a password"


class ContentCredentials:
    """Signs pictures with a person's certificate; no network is asked, so that there is no time stamp."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """`certificate` is a chain, the signer's first, and `key` its private key. Raises UsageError for other files,
        and ImportError without c2pa-python.
        """
        import c2pa

        self._c2pa: Any = c2pa
        self._chain, private = _read(certificate), _read(key)
        try:
            algorithm = getattr(c2pa.C2paSigningAlg, _algorithm(private))
            self._signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, self._chain, private, None))
        except (c2pa.C2paError, ValueError, TypeError, KeyError) as error:
            raise UsageError(f"{certificate}, {key}: no picture can be signed by them: {error}", _HINT) from None

    @property
    def signer(self) -> str:
        """SHA-256 of the certificate's chain."""
        return hashlib.sha256(self._chain).hexdigest()

    def sign(self, data: bytes, suffix: str, made_by: MadeBy) -> bytes:
        """`data`, a picture as files that end in `suffix` are, with a manifest. Raises UsageError."""
        action = {
            "action": "c2pa.created",
            "digitalSourceType": SOURCE_TYPE,
            "softwareAgent": {"name": "curate", "version": made_by.version or "unknown"},
            "description": made_by.networks,
        }
        manifest = {
            "claim_generator_info": [{"name": "curate"}],
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
        }
        signed = io.BytesIO()
        try:
            context = self._c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}})
            builder = self._c2pa.Builder.from_json(json.dumps(manifest), context)
            builder.sign(self._signer, _KINDS[suffix.lower()], io.BytesIO(data), signed)
        except self._c2pa.C2paError as error:
            raise UsageError(f"--mark c2pa: the certificate does not sign: {error}", _HINT) from None
        return signed.getvalue()


def _algorithm(key: bytes) -> str:
    """What a private key signs by, in C2PA's word. Raises ValueError, TypeError or KeyError for one that C2PA lacks."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    loaded = load_pem_private_key(key, None)
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return _CURVES[loaded.curve.name]
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return "ED25519"
    if isinstance(loaded, rsa.RSAPrivateKey):
        return "PS256"
    raise ValueError(f"a key of {type(loaded).__name__}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", _HINT) from None
