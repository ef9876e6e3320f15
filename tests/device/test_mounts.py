"""The reader of mountinfo: what lies where, whatever else the kernel writes there."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from edge_runtime.device.mounts import Mount, below, mount_of, parse

CARD = "30 22 8:1 / /media/cards/CARD ro,nosuid shared:9 - vfat /dev/sda1 rw,utf8"
MOUNTINFO = rf"""
22 1 179:2 / / rw,noatime shared:1 master:3 - ext4 /dev/mmcblk0p2 rw,errors=remount-ro
{CARD}
31 22 8:17 / /srv/with\040space rw - ext4 /dev/with\134backslash rw
33 22 8:49 / /srv/covered rw - ext4 /dev/sdd1 ro
34 33 0:65 / /srv/covered rw - tmpfs  rw
a line of another kernel
35 22 8:81 /sub /srv/one ro - ext4
"""


def test_a_mount_has_its_own_options_and_those_of_its_file_system() -> None:
    options = frozenset({"ro", "nosuid", "rw", "utf8"})
    assert parse(CARD) == (Mount(PurePosixPath("/media/cards/CARD"), "vfat", "/dev/sda1", "8:1", options),)


def test_mounts_come_in_their_order_and_lines_that_are_not_as_they_should_be_do_not() -> None:
    assert [(str(each.point), each.source) for each in parse(MOUNTINFO)] == [
        ("/", "/dev/mmcblk0p2"),
        ("/media/cards/CARD", "/dev/sda1"),
        ("/srv/with space", "/dev/with\\backslash"),
        ("/srv/covered", "/dev/sdd1"),
        ("/srv/covered", ""),
    ]
    assert parse("") == ()


@pytest.mark.parametrize("odd", ["\u00a0", "\u2028", "\x0c", "\x85", "\udcff"])
def test_what_only_python_takes_for_white_space_is_part_of_a_name(odd: str) -> None:
    (mount,) = parse(CARD.replace("CARD", f"A{odd}B"))
    assert mount.point == PurePosixPath(f"/media/cards/A{odd}B")


@pytest.mark.parametrize(
    ("folder", "number"),
    [
        ("/var/lib", "179:2"),
        ("/media/cards/CARD/DCIM", "8:1"),
        ("/media/cards/CARD-2", "179:2"),
        ("/srv/covered", "0:65"),
    ],
)
def test_a_folder_lies_on_the_deepest_mount_above_it_and_of_two_at_one_place_on_the_later(
    folder: str, number: str
) -> None:
    mount = mount_of(Path(folder), parse(MOUNTINFO))
    assert mount is not None and mount.number == number


def test_where_nothing_is_told_a_folder_lies_on_no_mount() -> None:
    assert mount_of(Path("/var/lib"), ()) is None


def test_a_folder_holds_the_mounts_at_it_and_under_it() -> None:
    mounted = parse(MOUNTINFO)
    assert [each.number for each in below(Path("/srv/covered"), mounted)] == ["8:49", "0:65"]
    assert [each.number for each in below(Path("/media"), mounted)] == ["8:1"]
    assert below(Path("/media/cards/CAR"), mounted) == ()


@pytest.mark.parametrize(
    ("own", "shared", "read_only", "by_emergency"),
    [
        ("rw", "rw,errors=remount-ro", False, False),
        ("ro", "rw", True, False),
        ("rw", "ro,errors=remount-ro", True, True),
        ("rw", "rw,emergency_ro", True, True),
        ("rw", "rw,shutdown", True, True),
    ],
)
def test_a_mount_tells_whether_it_is_read_only_and_whether_the_kernel_may_have_made_it_so(
    own: str, shared: str, read_only: bool, by_emergency: bool
) -> None:
    (mount,) = parse(f"22 1 179:2 / / {own} - ext4 /dev/mmcblk0p2 {shared}")
    assert (mount.read_only, mount.by_emergency) == (read_only, by_emergency)
