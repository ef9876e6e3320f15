"""Certificates for tests, made by the openssl program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """One authority; `ca` is its certificate's file."""

    def __init__(self, folder: Path, name: str) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.ca, self._key = folder, folder / "ca.crt", folder / "ca.key"
        _openssl("req", "-x509", *_KEY, "-days", "400", "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.ca)

    def sign(self, name: str, alternative: str, *, days: int = 400) -> tuple[Path, Path]:
        """Certificate and key for the names in `alternative`, such as `DNS:localhost,IP:127.0.0.1`.

        Args:
            days: from now; less than nothing makes one that has expired.
        """
        certificate, key, request, extra = (self._folder / f"{name}.{end}" for end in ("crt", "key", "csr", "ext"))
        extra.write_text(f"subjectAltName={alternative}\n")
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        by = ["-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-extfile", extra]
        _openssl("x509", "-req", "-in", request, *by, "-days", str(days), "-out", certificate)
        return certificate, key


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
