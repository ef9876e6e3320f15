"""What the authority signs, without a broker."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from cryptography import x509

from edge_runtime.station.provisioning import authority

EXPIRES = datetime(2036, 1, 1, tzinfo=timezone.utc)


def test_of_two_revocation_lists_the_longer_is_the_newer_and_none_ever_ends() -> None:
    made = authority.make_authority("test", EXPIRES)
    lists = [x509.load_pem_x509_crl(authority.revocation_list(made, range(1, size))) for size in (1, 2, 12)]
    dates = [each.last_update_utc for each in lists]
    assert dates == sorted(set(dates))
    assert all(date.year == 1970 for date in dates)
    assert {each.next_update_utc.year for each in lists} == {9999}
    numbers = [each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for each in lists]
    assert numbers == sorted(set(numbers))


def test_a_revocation_list_of_another_authority_or_a_damaged_one_counts_for_nothing() -> None:
    mine, other = authority.make_authority("test", EXPIRES), authority.make_authority("test", EXPIRES)
    pem = authority.revocation_list(mine, [7])
    assert authority.revoked_in(mine, pem) == {7}
    assert authority.revoked_in(other, pem) is None
    assert authority.revoked_in(mine, pem[: len(pem) // 2]) is None
    assert authority.revoked_in(mine, b"") is None


def test_an_authority_whose_key_is_not_that_of_its_certificate_is_refused() -> None:
    mine, other = authority.make_authority("test", EXPIRES), authority.make_authority("test", EXPIRES)
    assert authority.Authority.from_pem(mine.to_pem()).certificate == mine.certificate
    with pytest.raises(ValueError, match="not that of the certificate"):
        authority.Authority.from_pem(authority.Authority(other.certificate, mine.key).to_pem())


def test_the_brokers_certificate_is_good_for_its_hosts_under_its_authority_alone() -> None:
    mine, other = authority.make_authority("test", EXPIRES), authority.make_authority("test", EXPIRES)
    pem = authority.issue_broker(mine, ["station.local", "10.0.0.1", "fe80::1"])
    assert authority.serves(mine, pem, ["station.local", "10.0.0.1", "fe80::1"])
    assert not authority.serves(mine, pem, ["10.0.0.2"])
    assert not authority.serves(other, pem, ["10.0.0.1"])
    assert not authority.serves(mine, pem[:-100], ["10.0.0.1"])
    assert not authority.serves(mine, b"", [])
