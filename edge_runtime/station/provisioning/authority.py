"""The station's certificate authority: P-256 keys, X.509 certificates, one revocation list. No files, no clock.

P-256, because every TLS library that a device may carry knows it, small ones too.

A board without a battery wakes up with a clock years in the past, and would refuse a certificate that is "not valid
yet". So certificates begin in 1970, and so does the revocation list, whose number of revocations, as seconds, is its
date: of two lists the longer one is the newer, whatever the station's clock did in between.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BEGINNING = datetime(1970, 1, 1, tzinfo=timezone.utc)
NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
"""RFC 5280, section 4.1.2.5: a date that means "no end"."""
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs: a certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def expires(self) -> datetime:
        return self.certificate.not_valid_after_utc

    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def to_pem(self) -> bytes:
        """The key and the certificate as one file: no power cut can part them."""
        return _key_pem(self.key) + self.certificate_pem()

    @classmethod
    def from_pem(cls, pem: bytes) -> Authority:
        """Read what `to_pem` wrote.

        Raises:
            ValueError: it is something else.
        """
        key = serialization.load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ValueError("the key is not that of the certificate")
        return cls(certificate, key)


def make_authority(name: str, expires: datetime) -> Authority:
    """A new authority that signs for itself."""
    key = _new_key()
    builder = (
        _builder(_name(name), _name(name), key, x509.random_serial_number(), expires)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue_broker(authority: Authority, hosts: Iterable[str]) -> bytes:
    """The broker's key and certificate, one PEM; good for serving under these names and addresses, and nothing else.

    It lasts as long as its authority: there is nothing to renew in between.
    """
    key = _new_key()
    # The common name has room for 64 letters and is looked at by nobody who knows alternative names.
    serial, purpose = x509.random_serial_number(), ExtendedKeyUsageOID.SERVER_AUTH
    builder = _leaf(authority, "mqtt broker", key, serial, authority.expires, purpose)
    builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
    return _key_pem(key) + builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def issue_device(authority: Authority, device: str, serial: int, expires: datetime) -> tuple[bytes, bytes]:
    """A device's certificate and key, PEM each; good for connecting, not for serving."""
    key = _new_key()
    builder = _leaf(authority, device, key, serial, expires, ExtendedKeyUsageOID.CLIENT_AUTH)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), _key_pem(key)


def new_serial() -> int:
    """A number that no other certificate has."""
    return x509.random_serial_number()


def revocation_list(authority: Authority, serials: Iterable[int]) -> bytes:
    """The list of what is refused, PEM. Each list has to hold all of the ones before."""
    revoked = sorted(set(serials))
    # TLS libraries that hold two lists believe the newer.
    date = BEGINNING + timedelta(seconds=1 + len(revoked))
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(date)
        .next_update(NO_END)  # A list that runs out shuts everybody out.
        .add_extension(x509.CRLNumber(1 + len(revoked)), critical=False)
        .add_extension(_issuer_key(authority), critical=False)
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(BEGINNING).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def revoked_in(authority: Authority, pem: bytes) -> frozenset[int] | None:
    """The serials in a list; None where it is none, or not this authority's."""
    try:
        found = x509.load_pem_x509_crl(pem)
        if not found.is_signature_valid(authority.key.public_key()):
            return None
        return frozenset(entry.serial_number for entry in found)
    except ValueError:
        return None


def serves(authority: Authority, pem: bytes, hosts: Iterable[str]) -> bool:
    """Whether this is the broker's PEM, signed by this authority and good for these hosts."""
    try:
        serialization.load_pem_private_key(pem, password=None)
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.verify_directly_issued_by(authority.certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return all(_host(host) in names for host in hosts)


def is_host(text: str) -> bool:
    """Whether a certificate can be made for it: an IP address, or a name as DNS and mDNS have them."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and _HOST.fullmatch(text) is not None
    return True


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer_key(authority: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int, expires: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(BEGINNING)
        .not_valid_after(expires)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _leaf(
    authority: Authority,
    name: str,
    key: ec.EllipticCurvePrivateKey,
    serial: int,
    expires: datetime,
    purpose: x509.ObjectIdentifier,
) -> x509.CertificateBuilder:
    return (
        _builder(_name(name), authority.certificate.subject, key, serial, min(expires, authority.expires))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(_issuer_key(authority), critical=False)
    )
