"""Who gets in at a real mosquitto with this project's edge.conf, and who does not."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import msgspec
import psutil
import pytest

from edge_runtime.settings import Broker, Tls
from edge_runtime.station.provisioning.office import Office
from edge_runtime.station.provisioning.values import Places, Wanted
from tests.station.device import eventually
from tests.station.provisioning.house import CONNECTED, House, door, knock, take_ticket, with_keys_of
from tests.station.provisioning.people import Visitor

REVOKED = "SSLV3_ALERT_CERTIFICATE_REVOKED"


def test_a_provisioned_device_gets_in(open_house: House) -> None:
    assert knock(door(open_house.provision("hut-1"))) == CONNECTED


def test_without_a_certificate_nobody_gets_in(open_house: House) -> None:
    whole = door(open_house.provision("hut-1"))
    assert whole.tls is not None
    assert knock(whole) == CONNECTED
    bare = msgspec.structs.replace(whole, tls=Tls(ca=whole.tls.ca))
    assert knock(bare) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def test_another_stations_certificate_is_refused(open_house: House, tmp_path: Path) -> None:
    mine = door(open_house.provision("hut-1"))
    stranger = House(tmp_path / "stranger").provision("hut-1")
    assert knock(mine) == CONNECTED
    assert knock(with_keys_of(mine, stranger)) == "TLSV1_ALERT_UNKNOWN_CA"


def test_a_device_refuses_a_broker_of_another_station(open_house: House, tmp_path: Path) -> None:
    mine = door(open_house.provision("hut-1"))
    stranger = House(tmp_path / "stranger").provision("hut-1")
    assert mine.tls is not None
    fooled = msgspec.structs.replace(mine.tls, ca=str(stranger / "ca.crt"))
    assert knock(mine) == CONNECTED
    assert knock(msgspec.structs.replace(mine, tls=fooled)) == "CERTIFICATE_VERIFY_FAILED"


def test_an_expired_certificate_is_refused(open_house: House) -> None:
    mine = door(open_house.provision("hut-1"))
    places = Places(open_house.ca, open_house.broker_folder, open_house.folder / "data" / "broker-password.txt")
    earlier = Office(places, "station", lambda: datetime(2026, 1, 5, tzinfo=timezone.utc))
    old = earlier.rotate("hut-1", Wanted(folder=open_house.folder / "old", days=1)).place
    assert knock(mine) == CONNECTED
    assert knock(with_keys_of(mine, old)) == "SSLV3_ALERT_CERTIFICATE_EXPIRED"


def test_a_revoked_device_is_refused_and_the_others_are_not(open_house: House) -> None:
    lost, other = door(open_house.provision("hut-1")), door(open_house.provision("hut-2"))
    assert knock(lost) == CONNECTED
    assert open_house.run("revoke", "hut-1", "--reload") == 0
    eventually(lambda: knock(lost) == REVOKED, "the revoked device is refused")
    assert knock(other) == CONNECTED


def test_every_device_that_is_revoked_one_after_another_stays_refused(open_house: House) -> None:
    doors = [door(open_house.provision(f"hut-{number}")) for number in range(3)]
    for number, each in enumerate(doors):
        assert knock(each) == CONNECTED
        assert open_house.run("revoke", f"hut-{number}", "--reload") == 0
        eventually(lambda each=each: knock(each) == REVOKED, "refused")  # type: ignore[misc]
    assert [knock(each) for each in doors] == [REVOKED] * 3


def test_a_revoked_device_stays_refused_over_a_restart_and_a_kill_of_the_broker(open_house: House) -> None:
    lost, other = door(open_house.provision("hut-1")), door(open_house.provision("hut-2"))
    assert open_house.run("revoke", "hut-1") == 0
    open_house.broker.restart()
    assert (knock(lost), knock(other)) == (REVOKED, CONNECTED)
    open_house.broker.kill()
    open_house.broker.start()
    assert (knock(lost), knock(other)) == (REVOKED, CONNECTED)


def test_the_open_connection_of_a_revoked_device_is_ended_and_those_of_others_are_not(open_house: House) -> None:
    lost, other = open_house.provision("hut-1"), open_house.provision("hut-2")
    with Visitor(door(lost)) as thief, Visitor(door(other)) as friend:
        assert open_house.run("revoke", "hut-1", "--reload") == 0
        eventually(lambda: not thief.connected, "the thief's connection is ended")
        assert knock(door(lost)) == REVOKED
        assert friend.connected


def test_a_revoked_device_does_not_get_in_with_the_ticket_of_an_earlier_connection(open_house: House) -> None:
    lost = door(open_house.provision("hut-1"))
    ticket = take_ticket(lost)
    assert knock(lost, ticket=ticket) == f"{CONNECTED}, resumed"
    ticket = take_ticket(lost)
    assert open_house.run("revoke", "hut-1", "--reload") == 0
    eventually(lambda: knock(lost) == REVOKED, "refused")
    assert knock(lost, ticket=ticket) == REVOKED


def test_after_a_rotation_the_old_key_is_refused_and_the_new_one_gets_in(open_house: House) -> None:
    before = door(open_house.provision("hut-1"))
    assert knock(before) == CONNECTED
    new = open_house.rotate("hut-1", "--reload")
    eventually(lambda: knock(before) == REVOKED, "the old key is refused")
    assert knock(with_keys_of(before, new)) == CONNECTED


def test_whoever_holds_a_rotated_key_loses_an_open_connection(open_house: House) -> None:
    with Visitor(door(open_house.provision("hut-1"))) as thief:
        open_house.rotate("hut-1", "--reload")
        eventually(lambda: not thief.connected, "the connection is ended")


def test_a_device_that_was_revoked_can_be_let_in_again(open_house: House) -> None:
    lost = door(open_house.provision("hut-1"))
    assert open_house.run("revoke", "hut-1", "--reload") == 0
    again = open_house.provision("hut-1")
    eventually(lambda: knock(lost) == REVOKED, "refused")
    assert knock(door(again)) == CONNECTED


def test_a_further_address_of_the_station_counts_after_a_reload(open_house: House) -> None:
    by_address = door(open_house.provision("hut-1"))
    by_name = msgspec.structs.replace(by_address, host="localhost")
    assert (knock(by_address), knock(by_name)) == (CONNECTED, "CERTIFICATE_VERIFY_FAILED")
    assert open_house.run("broker", "--host", "localhost", "--reload") == 0
    eventually(lambda: knock(by_name) == CONNECTED, "the new name counts")
    assert knock(by_address) == CONNECTED


@pytest.mark.parametrize(
    ("user", "password"), [(None, None), ("edge-station", "guessed"), ("edge-station", ""), ("hut-1", "guessed")]
)
def test_the_local_door_opens_to_the_stations_password_alone(
    open_house: House, user: str | None, password: str | None
) -> None:
    right = open_house.station
    with Visitor(right) as station:
        assert station.connected
    file = open_house.folder / "guess.txt"
    file.write_text(password or "")
    wrong = Broker(port=right.port, user=user, password_file=None if user is None else str(file))
    with Visitor(wrong) as stranger:
        assert not stranger.connected
        assert "uthori" in stranger.answer or "user name" in stranger.answer


def test_the_local_door_is_not_seen_from_the_network(open_house: House) -> None:
    listening = psutil.Process(open_house.broker.pid).net_connections(kind="tcp")
    addresses = {each.laddr.ip for each in listening if each.laddr.port == open_house.broker.port}
    assert addresses == {"127.0.0.1"}
