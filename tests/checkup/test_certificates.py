"""Faults planted in certificates, with a real mosquitto and certificates that openssl makes."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.tryout.ports import free_port
from tests.broker import Mosquitto
from tests.checkup import site
from tests.checkup.authority import Authority
from tests.checkup.claims import are_skipped, is_bad
from tests.checkup.kit import DEVICE, Kit


def test_a_certificate_of_another_authority_names_the_file_to_replace(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other", "another authority")
    with site.broker(kit, authority, certificate) as broker:
        site.at(kit, broker.port, other)
        found = kit.look(with_network=True)
    assert found["TLS files"].status == "good"
    is_bad(found["TLS"], "not signed by", str(other.ca), next_step=f"over {other.ca}")
    are_skipped(found, "login", "publish", "station")


def test_an_expired_certificate_is_told_with_the_device_s_own_date(kit: Kit, authority: Authority) -> None:
    with site.broker(kit, authority, authority.sign("old", site.NAMES, days=-1)):
        found = kit.look(with_network=True)
    is_bad(found["TLS"], "has expired", "clock is wrong (it says 20", next_step="-dates")
    are_skipped(found, "login", "publish", "station")


def test_a_certificate_that_expires_soon_is_a_warning(kit: Kit, authority: Authority) -> None:
    kit.answer_seconds = 0.1
    with site.broker(kit, authority, authority.sign("soon", site.NAMES, days=9)):
        finding = kit.look(with_network=True)["TLS"]
    assert finding.status == "warn" and "new certificate" in finding.next_step


def test_a_certificate_for_another_name_is_told_with_the_names_to_look_up(kit: Kit, authority: Authority) -> None:
    with site.broker(kit, authority, authority.sign("elsewhere", "DNS:elsewhere.example")):
        found = kit.look(with_network=True)
    is_bad(found["TLS"], "for another name", next_step="subjectAltName")


def test_tls_towards_a_port_without_it_is_named(kit: Kit, authority: Authority, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "plain") as broker:
        site.at(kit, broker.port, authority)
        found = kit.look(with_network=True)
    is_bad(found["TLS"], "does not answer in TLS", next_step="8883")


def own(kit: Kit, authority: Authority, name: str) -> None:
    """The device shows a certificate for this name instead of a password."""
    certificate, key = authority.sign(name, f"DNS:{name}")
    tls = {"ca": str(authority.ca), "certificate": str(certificate), "key": str(key)}
    kit.settings["uplink"] = {"host": "localhost", "port": kit.settings["uplink"]["port"], "tls": tls}
    kit.save()


def test_a_certificate_of_its_own_lets_the_device_in(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path]
) -> None:
    kit.answer_seconds = 0.1
    with site.broker(kit, authority, certificate, by_certificate=True):
        own(kit, authority, DEVICE)
        found = kit.look(with_network=True)
    assert {found[name].status for name in ("TLS files", "TLS", "login", "publish")} == {"good"}, found


def test_a_broker_that_wants_a_certificate_says_so(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path]
) -> None:
    with site.broker(kit, authority, certificate, by_certificate=True):
        found = kit.look(with_network=True)
    is_bad(found["TLS"], "refuses this device's certificate, or wants one", next_step="`certificate:` and `key:`")
    are_skipped(found, "login", "publish", "station")


def test_a_certificate_for_another_device_may_not_write_and_says_which_name_it_needs(
    kit: Kit, authority: Authority, certificate: tuple[Path, Path]
) -> None:
    with site.broker(kit, authority, certificate, by_certificate=True):
        own(kit, authority, "valley")
        found = kit.look(with_network=True)
    assert found["login"].status == "good"
    is_bad(found["publish"], "may not write", next_step=f"its CN has to be {DEVICE}")


def test_a_missing_ca_file_is_found_without_any_network(kit: Kit, authority: Authority) -> None:
    site.at(kit, free_port(), authority)
    kit.settings["uplink"]["tls"]["ca"] = "lost.crt"
    kit.save()
    is_bad(kit.look()["TLS files"], "lost.crt", "No such file", next_step="copy it from the station")


def test_a_key_of_another_certificate_is_found_without_any_network(kit: Kit, authority: Authority) -> None:
    one, _ = authority.sign("one", "DNS:one")
    _, other = authority.sign("other", "DNS:other")
    site.at(kit, free_port(), authority)
    kit.settings["uplink"]["tls"] |= {"certificate": str(one), "key": str(other)}
    kit.save()
    is_bad(kit.look()["TLS files"], "is not the key of", next_step="openssl pkey -pubout")


def test_a_ca_file_that_is_no_certificate_is_found(kit: Kit, authority: Authority) -> None:
    site.at(kit, free_port(), authority)
    (kit.folder / "ca.txt").write_text("hello")
    kit.settings["uplink"]["tls"]["ca"] = "ca.txt"
    kit.save()
    is_bad(kit.look()["TLS files"], "cannot be used", next_step="BEGIN CERTIFICATE")
