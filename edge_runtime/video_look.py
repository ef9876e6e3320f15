"""The way of a video: recognise, then frame after frame decode, detect, classify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from edge_runtime.errors import UnsettledPhotoError
from edge_runtime.intake import cameras, identity, video, video_ends
from edge_runtime.intake.video import Video
from edge_runtime.intake.video_ends import End
from edge_runtime.laps import Lap
from edge_runtime.recording import Known, Seen
from edge_runtime.rules import Rules
from edge_runtime.values import Detection, FileStamp, Frame, Photo


@dataclass(frozen=True, slots=True)
class Stages:
    """What a video's frames go through, and what is known."""

    resized_to: Callable[[int, int], tuple[int, int]]
    """As `Detector.resized_to`."""
    detect: Callable[[Frame], tuple[Detection, ...]]
    name_species: Callable[[Frame, tuple[Detection, ...]], tuple[Detection, ...]]
    knows: Callable[[bytes], bool]
    """Whether a file of this hash was read before."""
    stopped: Callable[[], bool]
    """Whether to give up, which a long video is asked between any two packets."""


def see(stamp: FileStamp, rules: Rules, stages: Stages, lap: Lap, *, settled: bool) -> Seen | Known:
    """Look at one video. One decoded frame and its boxes are kept at a time; of the others, the boxes.

    Raises:
        UnsettledPhotoError: nothing proves that it is all there, and it may still be growing.
        PhotoError: it cannot be read; `problem` says what it needs where PyAV is missing.
        CardGoneError: the card vanished.
        EngineError: an inference failed.
        StoppedError: `stages.stopped` said so.
    """
    path = stamp.full_path
    video.check_installed(path)
    with identity.opened(stamp) as stream:
        if not settled and video_ends.find(stream, stamp.size) is not End.THERE:
            raise UnsettledPhotoError(path, "nothing shows that the video is all there")
        sha256 = identity.file_hash(stream, stages.stopped)
        if stages.knows(sha256):
            return Known(sha256)
        lap("hash")
        enough = stages.resized_to if rules.decode == "reduced" else None
        detections: list[Detection] = []
        with Video(
            stream,
            path,
            stamp.size,
            rules.videos,
            max_pixels=rules.max_pixels,
            enough=enough,
            stopped=stages.stopped,
        ) as opened:
            for sample in opened.samples():
                lap("decode")
                found = stages.detect(sample.frame)
                lap("boxes")
                found = stages.name_species(sample.frame, found)
                lap("classify")
                detections += [replace(one, frame=sample.number) for one in found]
                del sample
            capture = opened.capture(stamp.mtime_ns, rules.zone)
            footage = opened.footage
    camera = cameras.camera_name(stamp.path, capture, rules.cameras)
    detections.sort(key=lambda one: -one.confidence)
    return Seen(Photo(stamp, sha256, camera, capture, footage), tuple(detections))
