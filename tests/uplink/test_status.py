from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.uplink.status import DeviceStatus

STATUS = DeviceStatus(epoch="0123456789abcdef", first=12, next=40, photos=900, failed=2, waiting=28, version="0.1.0")


def changed(**changes: object) -> bytes:
    return json.dumps({**json.loads(STATUS.to_bytes()), **changes}).encode()


def test_a_status_comes_back_and_is_the_documented_json() -> None:
    assert DeviceStatus.from_bytes(STATUS.to_bytes()) == STATUS
    assert json.loads(STATUS.to_bytes()) == {
        "v": 1,
        "epoch": "0123456789abcdef",
        "first": 12,
        "next": 40,
        "photos": 900,
        "failed": 2,
        "waiting": 28,
        "version": "0.1.0",
    }


def test_fields_of_a_newer_device_are_skipped() -> None:
    assert DeviceStatus.from_bytes(changed(battery=3.7, more={"x": [1]})) == STATUS


def test_a_status_of_a_later_version_is_unknown() -> None:
    with pytest.raises(UnknownPayloadError):
        DeviceStatus.from_bytes(b'{"v":2}')


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_status_or_a_payload_error(payload: bytes) -> None:
    with pytest.raises(PayloadError):
        DeviceStatus.from_bytes(payload)


@pytest.mark.parametrize(
    "payload",
    [
        changed(first=0),
        changed(next=11),
        changed(waiting=-1),
        changed(photos="many"),
        changed(epoch=None),
        changed(note="x" * 9000),
        b'{"v":1}',
        b"[" * 8000,
    ],
)
def test_a_status_that_cannot_be_is_a_payload_error(payload: bytes) -> None:
    with pytest.raises(PayloadError):
        DeviceStatus.from_bytes(payload)


def test_deep_nesting_is_skipped_or_refused_but_never_fails_in_another_way() -> None:
    payload = STATUS.to_bytes()[:-1] + b',"x":' + b"[" * 3900 + b"]" * 3900 + b"}"
    try:
        assert DeviceStatus.from_bytes(payload) == STATUS  # an unknown field, skipped
    except PayloadError as error:
        assert "no status" in str(error)  # deeper than this Python goes
