"""Videos made here in the containers and codecs that cameras write, and real ones, by the numbers that frames show."""

from __future__ import annotations

import errno
import gc
import io
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from edge_runtime.errors import (  # noqa: E402
    IncompletePhotoError,
    PhotoError,
    StoppedError,
    UnreadablePhotoError,
)
from edge_runtime.intake import video as video_module  # noqa: E402
from edge_runtime.intake import video_ends  # noqa: E402
from edge_runtime.intake.video import Video  # noqa: E402
from edge_runtime.intake.video_ends import End  # noqa: E402
from edge_runtime.settings import Videos  # noqa: E402
from edge_runtime.values import Footage  # noqa: E402
from tests import videos  # noqa: E402

NAIROBI = ZoneInfo("Africa/Nairobi")
EVERY_SECOND = Videos()


@contextmanager
def opened(data: bytes | Path, sampling: Videos = EVERY_SECOND, **options: Any) -> Iterator[Video]:
    """A video of a file or of bytes."""
    content = data.read_bytes() if isinstance(data, Path) else data
    with Video(io.BytesIO(content), Path("video"), len(content), sampling, **options) as video:
        yield video


def shown(data: bytes | Path, sampling: Videos = EVERY_SECOND, **options: Any) -> tuple[list[tuple[int, int]], Footage]:
    """Of each sample the number that it is given and the one that it shows, and how it was looked at."""
    with opened(data, sampling, **options) as video:
        numbers = [(sample.number, videos.number_in(sample.frame.pixels)) for sample in video.samples()]
        return numbers, video.footage


@pytest.mark.parametrize("kind", videos.KINDS)
def test_frames_of_every_container_and_codec_have_the_numbers_of_a_full_decode(kind: str, tmp_path: Path) -> None:
    file = videos.write(tmp_path / videos.KINDS[kind][2], kind, frames=75, sound=kind in ("mp4-h264", "mkv-h264"))
    reference = [videos.number_in(pixels) for pixels in videos.decoded_by_opencv(file)]
    assert reference == list(range(75))
    numbers, footage = shown(file, Videos(every_seconds=0.7))
    assert [number for number, _ in numbers] == [0, 18, 35, 53, 70] or kind == "avi-h264"
    assert len(numbers) == 5
    assert all(reference[number] == seen for number, seen in numbers)
    assert footage.frames == tuple(number for number, _ in numbers)
    assert footage.frame_rate == pytest.approx(25, rel=1e-3)
    assert footage.duration_s == pytest.approx(3, abs=0.05)
    assert footage.problem == ""


def test_real_videos_have_the_frames_of_a_full_decode(assets: Path) -> None:
    files = sorted((assets / "videos" / "zamba").glob("*.*"))
    assert len(files) == 7
    for file in files:
        reference = videos.decoded_by_opencv(file)
        with opened(file) as video:
            count = 0
            for sample in video.samples():
                difference = np.abs(sample.frame.pixels.astype(int) - reference[sample.number]).mean()
                others = [np.abs(sample.frame.pixels.astype(int) - other).mean() for other in reference]
                assert difference < 8, file.name
                assert difference == min(others), (file.name, sample.number)
                count += 1
            assert count == (15 if "chimp.mp4" in file.name else min(60, len(reference))), file.name
            assert video.footage.problem == ""


def test_of_a_long_video_so_many_frames_are_taken_evenly(tmp_path: Path) -> None:
    file = videos.write(tmp_path / "long.mkv", "mkv-h264", frames=1000, rate=10, size=(96, 64))
    numbers, footage = shown(file, Videos(every_seconds=1, max_frames=8))
    assert [number for number, _ in numbers] == [0, 125, 250, 375, 500, 625, 750, 875]
    assert all(number == seen for number, seen in numbers)
    assert footage.duration_s == pytest.approx(100)


def test_a_variable_frame_rate_is_sampled_by_time(tmp_path: Path) -> None:
    # Ten frames a second at first, then one in 1.5 s, then ten again.
    times = [Fraction(n, 10) for n in range(20)]
    times += [2 + Fraction(3 * n, 2) for n in range(4)]
    times += [7 + Fraction(n, 10) for n in range(20)]
    file = videos.write(tmp_path / "variable.mkv", "mkv-h264", frames=len(times), times=times)
    with opened(file) as video:
        samples = [(sample.number, sample.time_s, videos.number_in(sample.frame.pixels)) for sample in video.samples()]
        assert video.footage.frame_rate == pytest.approx((len(times) - 1) / float(times[-1]))
    wanted = [next(n for n, moment in enumerate(times) if moment >= second) for second in range(9)]
    assert [number for number, _, _ in samples] == sorted(set(wanted))
    for number, time_s, seen in samples:
        assert number == seen
        assert time_s == pytest.approx(float(times[number]), abs=0.002)


def test_what_no_sample_needs_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    real = Video._decode
    monkeypatch.setattr(Video, "_decode", lambda *given: decoded.append(given[2]) or real(*given))
    every = Videos(every_seconds=1)
    shown(videos.write(tmp_path / "video.avi", "avi-mjpeg", frames=100), every)
    assert len([packet for packet in decoded if packet is not None]) == 4
    decoded.clear()
    numbers, _ = shown(videos.write(tmp_path / "video.mp4", frames=100, group=25), every)
    assert [number for number, _ in numbers] == [0, 25, 50, 75]
    assert len([packet for packet in decoded if packet is not None]) == 4


def test_a_smaller_frame_is_enough_and_gives_more_on_request(tmp_path: Path) -> None:
    file = videos.write(tmp_path / "video.mp4", frames=10, size=(640, 480))
    with opened(file, enough=lambda width, height: (width // 4, height // 4)) as video:
        frame = next(video.samples()).frame
        assert frame.pixels.shape == (120, 160, 3)
        assert frame.scale == 0.25
        assert frame.sharper(0.25) is frame
        assert frame.sharper(0.5).pixels.shape == (240, 320, 3)
        assert frame.sharper(1.0).pixels.shape == (480, 640, 3)
        assert frame.sharper(1.0).sharper(1.0).scale == 1.0
        assert videos.number_in(frame.sharper(1.0).pixels) == 0


def _corners(number: int, width: int, height: int) -> np.ndarray:
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[height // 2 :, width // 2 :] = (0, 0, 255)
    return pixels


@pytest.mark.parametrize(
    ("matrix", "size", "red", "blue"),
    [
        ((0, 1, -1, 0), (48, 64), "top right", "bottom left"),  # as a telephone held upright writes it
        ((-1, 0, 0, -1), (64, 48), "bottom right", "top left"),
        ((0, -1, 1, 0), (48, 64), "bottom left", "top right"),
    ],
)
def test_rotation_is_applied(
    matrix: tuple[int, int, int, int], size: tuple[int, int], red: str, blue: str, tmp_path: Path
) -> None:
    data = bytearray(videos.write(tmp_path / "video.mp4", frames=5, size=(64, 48), draw=_corners).read_bytes())
    # The track header's matrix a b u c d v x y w (ISO 14496-12, 8.3.2), 16.16 fixed point: x' = ax + cy, y' = bx + dy.
    a, b, c, d = matrix
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    with opened(bytes(data)) as video:
        pixels = next(video.samples()).frame.pixels
        capture = video.capture(0, NAIROBI)
    assert (capture.width, capture.height) == size == pixels.shape[1::-1]
    assert pixels.flags.c_contiguous
    corners = {"top left": (8, 8), "top right": (8, -8), "bottom left": (-8, 8), "bottom right": (-8, -8)}
    assert pixels[corners[red]].argmax() == 0 and pixels[corners[red]][2] < 80
    assert pixels[corners[blue]].argmax() == 2 and pixels[corners[blue]][0] < 80


@pytest.mark.parametrize("kind", [*videos.KINDS, "mp4-index-first", "mp4-in-fragments"])
def test_a_truncated_video_gives_what_can_be_read_and_a_note_or_fails(kind: str, tmp_path: Path) -> None:
    options = {"mp4-index-first": "faststart", "mp4-in-fragments": "frag_keyframe+empty_moov"}
    known = "mp4-h264" if kind in options else kind
    made = videos.write(
        tmp_path / videos.KINDS[known][2],
        known,
        frames=110,
        options={"movflags": options[kind]} if kind in options else None,
    )
    data = made.read_bytes()
    read = 0
    for tenth in range(10):
        cut = data[: len(data) * tenth // 10]
        try:
            numbers, footage = shown(cut, Videos(every_seconds=0.2))
        except PhotoError as error:
            assert isinstance(error, IncompletePhotoError | UnreadablePhotoError)
            assert error.problem
            continue
        read += 1
        assert numbers
        # The last frame may be a piece, patched with the one before it.
        assert all(number == seen for number, seen in numbers[:-1])
        assert footage.problem or kind.startswith(("mpg", "mts"))
        assert footage.duration_s < 4.4
    # An MP4 says at its end what is in it, unless its writer takes care.
    assert read == 0 if kind.startswith(("mp4-h", "mp4-mpeg4", "m4v", "mov", "3gp")) else read >= 5


def test_a_real_video_cut_at_each_tenth_gives_frames_and_a_note_or_fails(assets: Path) -> None:
    read = []
    for file in sorted((assets / "videos" / "zamba").glob("*.*")):
        data = file.read_bytes()
        for tenth in range(10):
            try:
                numbers, footage = shown(data[: len(data) * tenth // 10])
            except PhotoError as error:
                assert error.problem
                continue
            assert numbers
            assert footage.problem, (file.name, tenth)
            read.append(file.suffix.lower())
    assert len(read) >= 4 * 5  # the AVI and ASF files from their middle on


def test_damage_within_a_video_costs_only_what_it_hit(tmp_path: Path) -> None:
    data = bytearray(videos.write(tmp_path / "video.avi", "avi-mjpeg", frames=100).read_bytes())
    middle = len(data) // 2
    data[middle - 8000 : middle + 8000] = bytes(16000)
    damaged = tmp_path / "damaged.avi"
    damaged.write_bytes(data)
    reference = [videos.number_in(pixels) for pixels in videos.decoded_by_opencv(damaged)]
    numbers, footage = shown(damaged, Videos(every_seconds=0.04, max_frames=1000))
    assert numbers == list(enumerate(reference))
    assert 90 <= len(numbers) < 100
    assert footage.problem == f"only {len(numbers)} of 100 frames are there"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"this is a letter, not a video\n" * 1000,
        bytes(100_000),
        os.urandom(100_000),
        b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    ],
    ids=["nothing", "text", "zeros", "noise", "playlist", "list"],
)
def test_what_is_no_video_is_a_typed_failure(content: bytes) -> None:
    with pytest.raises(PhotoError), opened(content) as video:
        list(video.samples())


def test_sound_alone_is_a_typed_failure(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match="no picture"), opened(videos.write_sound(tmp_path / "sound.mp4")):
        pass


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    file = videos.write(tmp_path / "video.mp4", frames=3, size=(640, 480))
    with pytest.raises(UnreadablePhotoError, match="640 x 480"), opened(file, max_pixels=300_000):
        pass


def test_a_small_file_cannot_keep_the_device_busy_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = videos.write(
        tmp_path / "video.mp4", frames=400, size=(640, 480), group=400, draw=lambda n, w, h: _corners(0, w, h)
    )
    monkeypatch.setattr(video_module, "MAX_DECODED_PIXELS", 100 * 640 * 480)
    with opened(file) as video:
        assert [sample.number for sample in video.samples()] == [0, 25, 50, 75]
        assert "too long" in video.footage.problem


def test_who_stops_in_the_middle_is_heard_between_two_frames(tmp_path: Path) -> None:
    file = videos.write(tmp_path / "video.mp4", frames=100)
    stop = False
    with opened(file, stopped=lambda: stop) as video:
        samples = video.samples()
        next(samples)
        stop = True
        with pytest.raises(StoppedError):
            next(samples)


def test_a_card_that_is_pulled_is_an_error_of_the_system_not_of_the_video(tmp_path: Path) -> None:
    data = videos.write(tmp_path / "video.mkv", "mkv-mjpeg", frames=100).read_bytes()

    class Pulled(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            if self.reads > 4:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    with (
        pytest.raises(OSError, match="Input/output") as caught,
        Video(Pulled(data), Path("video"), len(data), EVERY_SECOND) as video,
    ):
        list(video.samples())
    assert caught.value.errno == errno.EIO


def test_without_pyav_a_video_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = videos.write(tmp_path / "video.mp4", frames=3)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PhotoError, match="need PyAV"), opened(file):
        pass


@pytest.mark.parametrize(
    ("metadata", "kind", "seconds"),
    [
        ({"creation_time": "2023-07-01T05:30:00.000000Z"}, "mp4-h264", 1688178600),  # what the clock showed in Nairobi
        ({"creation_time": "2023-07-01T05:30:00.000000Z"}, "mov-h264", 1688178600),
        ({"date": "2023-07-01 05:30:00"}, "avi-mjpeg", 1688178600),
    ],
)
def test_a_videos_own_time_is_what_the_cameras_clock_showed(
    metadata: dict[str, str], kind: str, seconds: int, tmp_path: Path
) -> None:
    file = videos.write(tmp_path / videos.KINDS[kind][2], kind, frames=3, metadata=metadata)
    with opened(file) as video:
        next(video.samples())
        capture = video.capture(1_000_000_000 * 10**9, NAIROBI)
    assert (capture.time_s, capture.time_source) == (seconds, "exif")


def test_without_a_time_of_its_own_the_files_counts(tmp_path: Path) -> None:
    file = videos.write(tmp_path / "video.avi", "avi-mjpeg", frames=3)
    with opened(file) as video:
        next(video.samples())
        capture = video.capture(1_000_000_000 * 10**9, NAIROBI)
    assert (capture.time_s, capture.time_source) == (1_000_000_000, "file")
    assert (capture.width, capture.height) == (videos.WIDTH, videos.HEIGHT)


@pytest.mark.parametrize("kind", videos.KINDS)
def test_whether_the_end_is_there_is_told_by_the_containers_structure(kind: str, tmp_path: Path) -> None:
    data = videos.write(tmp_path / videos.KINDS[kind][2], kind, frames=50).read_bytes()
    tells = not kind.startswith(("mpg", "mts"))
    assert video_ends.find(io.BytesIO(data), len(data)) is (End.THERE if tells else End.UNKNOWN)
    for size in (len(data) // 10, len(data) // 2, len(data) - 1):
        assert video_ends.find(io.BytesIO(data[:size]), size) is (End.MISSING if tells else End.UNKNOWN)
    reserved = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
    assert video_ends.find(io.BytesIO(reserved), len(reserved)) is not End.THERE


def test_one_decoded_frame_is_kept_at_a_time(tmp_path: Path) -> None:
    alive = []
    file = videos.write(tmp_path / "video.mp4", frames=200, size=(656, 480))
    gc.collect()
    with opened(file, Videos(every_seconds=0.2), enough=lambda width, height: (width // 2, height // 2)) as video:
        for sample in video.samples():
            alive.append(sum(isinstance(thing, av.VideoFrame) and thing.width == 656 for thing in gc.get_objects()))
            del sample
    # Two where the codec gives out two at once, at the end of what is decoded in one go.
    assert len(alive) == 40 and set(alive) <= {1, 2} and sum(alive) < 50


def test_a_header_that_claims_years_is_not_believed(tmp_path: Path) -> None:
    data = bytearray(videos.write(tmp_path / "video.mp4", frames=50).read_bytes())
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        at = data.index(box) + 4 + (20 if box == b"tkhd" else 16)
        data[at : at + 4] = b"\x7f\xff\xff\xff"
    numbers, footage = shown(bytes(data))
    assert [number for number, _ in numbers] == [0, 25]
    assert footage.duration_s == pytest.approx(2)
