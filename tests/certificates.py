"""Certificates for the servers that the tests run."""

import base64
import hashlib
import subprocess
from pathlib import Path

HOST = "127.0.0.1"


def make(openssl: str, folder: Path, name: str = "server") -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1; return its path and its key's."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = [
        *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt"),
        *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj", "/CN=herokuify"),
        *("-addext", f"subjectAltName=IP:{HOST}"),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key


def fingerprint(openssl: str, certificate: Path) -> str:
    """Return the key's digest, in the form that Chromium's list of trusted keys takes."""
    command = [openssl, "x509", "-in", str(certificate), "-noout", "-pubkey"]
    pem = subprocess.run(command, check=True, capture_output=True).stdout
    key = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    return base64.b64encode(hashlib.sha256(key).digest()).decode()
