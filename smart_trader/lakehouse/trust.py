"""Lets the wheel's Java trust the certificate authorities that the system trusts.

A JDK of the system comes with the system's authorities. The one in the wheel brings a list of its own, which knows
neither a company's proxy nor authorities that are newer than the wheel.
"""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from smart_trader.lakehouse.java import Java

logger = logging.getLogger(__name__)

BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# Java wants a password to open a trust store; there is nothing secret in it
STORE_PASSWORD = "changeit"  # noqa: S105  # pragma: allowlist secret


def system_bundle() -> Path | None:
    """Return the file with the system's authorities, the user's own choice first."""
    chosen = [os.environ.get(name) for name in BUNDLE_VARIABLES]
    for candidate in (*chosen, ssl.get_default_verify_paths().cafile, *BUNDLES):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return None


def trust_flags(java: Java, folder: Path) -> list[str]:
    """Return the flags that make the wheel's Java trust the system's authorities.

    Args:
        java: The runtime; any but the wheel's is left as it is.
        folder: Where the trust store is written.
    """
    bundle = system_bundle() if java.source == "wheel" else None
    if bundle is None:
        return []
    authorities = _authorities(bundle)
    if not authorities:
        logger.warning("no authorities found in %s; Java uses its own", bundle)
        return []
    entries = [pkcs12.PKCS12Certificate(one, f"authority {number}".encode()) for number, one in enumerate(authorities)]
    store = folder / "authorities.p12"
    store.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(STORE_PASSWORD.encode())))
    return [
        f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}",
    ]


def _authorities(bundle: Path) -> list[x509.Certificate]:
    """Read a bundle's certificates; old ones that break a rule of today are left out."""
    try:
        encoded = ssl.create_default_context(cafile=str(bundle)).get_ca_certs(binary_form=True)
    except (OSError, ssl.SSLError):
        return []
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in encoded:
            with contextlib.suppress(ValueError):
                found.append(x509.load_der_x509_certificate(one))
    return found
