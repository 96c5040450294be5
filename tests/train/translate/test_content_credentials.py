"""Pictures signed with a certificate of the test, read back by the library of the Content Authenticity Initiative."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging.photo import Photo
from curate.pipeline.imaging.synthetic import SOURCE_TYPE
from curate.train.translate import animation, picture_files
from curate.train.translate.content_credentials import ContentCredentials
from curate.train.translate.metadata import MadeBy, xmp
from tests.support.pictures import smooth

c2pa: Any = pytest.importorskip("c2pa", reason="c2pa-python is not installed: pip install curate-gan[c2pa]")
BY = MadeBy("CycleGAN", "hair", 1200, ("0" * 64,))


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test"), x509.NameAttribute(NameOID.COMMON_NAME, "Anna")]
    )
    usage = dict.fromkeys(
        "content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign encipher_only "
        "decipher_only".split(),
        False,
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9))
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, **usage), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    folder = tmp_path_factory.mktemp("signer")
    pem = serialization.Encoding.PEM
    (folder / "chain.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder / "chain.pem", folder / "key.pem"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif"])
def test_a_signed_picture_says_who_made_it_and_a_changed_one_is_found_out(
    suffix: str, signer: tuple[Path, Path]
) -> None:
    rgb = smooth(40, 40)
    plain = (
        animation.encode(rgb, rgb, suffix) if suffix == ".gif" else picture_files.encode(Photo.of(rgb), suffix, xmp(BY))
    )
    signed = ContentCredentials(*signer).sign(plain, suffix, BY)
    kind = f"image/{suffix[1:].replace('jpg', 'jpeg')}"
    told = json.loads(c2pa.Reader(kind, io.BytesIO(signed)).json())
    manifest = told["manifests"][told["active_manifest"]]
    (action,) = manifest["assertions"][0]["data"]["actions"]
    assert action["digitalSourceType"] == SOURCE_TYPE
    assert action["softwareAgent"]["version"] == BY.version and "hair" in action["description"]
    assert manifest["signature_info"]["common_name"] == "Anna"
    assert told["validation_state"] == "Valid"
    place = signed.rindex(plain[-40:-20])
    torn = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
    changed = json.loads(c2pa.Reader(kind, io.BytesIO(torn)).json())
    assert changed["validation_state"] == "Invalid"


def test_files_that_sign_nothing_are_told(signer: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no key")
    for certificate, key in (
        (signer[0], tmp_path / "x.pem"),
        (signer[0], tmp_path / "none.pem"),
        (signer[1], signer[1]),
    ):
        with pytest.raises(UsageError, match=r"signed|No such file|does not sign") as told:
            ContentCredentials(certificate, key).sign(picture_files.encode(Photo.of(smooth(8, 8)), ".png"), ".png", BY)
        assert "PEM" in told.value.hint
