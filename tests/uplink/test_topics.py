from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from edge_runtime.errors import PayloadError
from edge_runtime.uplink import topics
from edge_runtime.uplink.topics import Kind

devices = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)


@given(devices, st.sampled_from(Kind))
def test_a_topic_splits_into_its_device_and_kind_and_matches_its_subscription_only(device: str, kind: Kind) -> None:
    topic = topics.topic(device, kind)
    assert topics.split(topic) == (device, kind)
    assert [other for other in Kind if topic_matches_sub(topics.subscription(other), topic)] == [kind]


def test_the_topics_are_those_of_the_specification() -> None:
    assert [make("cam-1") for make in (topics.events, topics.status, topics.online, topics.codebook, topics.ack)] == [
        "ct/1/cam-1/e",
        "ct/1/cam-1/s",
        "ct/1/cam-1/o",
        "ct/1/cam-1/m",
        "ct/1/cam-1/a",
    ]


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "ct/1/cam-1",
        "ct/1/cam-1/x",
        "ct/1/cam-1/e/e",
        "ct/1/cam-1/e\n",
        "ct/1//e",
        "ct/1/Cam/e",
        "ct/1/cam\n/e",
        "ct/2/cam-1/e",
        "xct/1/cam-1/e",
        "cam-1/e",
        "ct/1/ct/1/cam-1/e",
        "ct/1/" + "a" * 33 + "/e",
    ],
)
def test_a_foreign_topic_is_a_payload_error(foreign: str) -> None:
    with pytest.raises(PayloadError, match="none of our topics"):
        topics.split(foreign)


@given(st.text(max_size=40))
def test_any_text_is_a_topic_that_it_would_make_itself_or_a_payload_error(text: str) -> None:
    for tried in (text, f"ct/1/{text}", f"ct/1/{text}/e"):
        try:
            device, kind = topics.split(tried)
        except PayloadError:
            continue
        assert topics.topic(device, kind) == tried


@pytest.mark.parametrize("device", ["", "+", "#", "a/b", "Cam", "-cam", "cam\n", "a" * 33])
def test_a_name_that_would_break_a_topic_is_refused(device: str) -> None:
    with pytest.raises(PayloadError, match="no device name"):
        topics.topic(device, Kind.EVENTS)
