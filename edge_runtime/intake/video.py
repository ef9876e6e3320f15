"""Frames of a video, sampled by time and decoded one at a time, whatever its length.

FFmpeg's libraries do the work through PyAV, which not every device has (see setup.cfg) and which is not loaded before
the first video. A file is gone through twice. First its packets are listed, undecoded: how many frames there are, when
each is shown, and where decoding can begin. Then what the wanted frames need is decoded; a camera writes a frame that
stands alone every second or so, and MJPEG has no others, so most of a video never is. Where the list cannot be relied
upon (packets without a time), everything is decoded and counted.

No sound is decoded. The file is read through a handle that the caller opened, nothing else is ever opened for what
stands in it, and only containers and codecs that cameras write are tried.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo

import numpy as np

from edge_runtime.errors import IncompletePhotoError, StoppedError, UnreadablePhotoError
from edge_runtime.intake import video_capture, video_ends, video_plan
from edge_runtime.intake.exif import plain
from edge_runtime.intake.video_ends import End
from edge_runtime.intake.video_plan import SLACK_S, Plan, Timing
from edge_runtime.settings import Videos
from edge_runtime.values import Capture, Footage, Frame, Pixels

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

NEEDS_AV = "videos need PyAV: pip install 'camtrap-edge[video]'"
MAX_FRAME_PIXELS = 36_000_000
"""8K. A decoder keeps several frames that others refer to, so that the limit of photos would be too much."""
MAX_DECODED_PIXELS = 400_000_000_000
"""Of one video, all frames together: an hour and three quarters of 1080p at 30 frames a second, every one decoded. A
few bytes can stand for a frame that repeats the last one, so a small file could keep a device busy for days."""
_BYTES_PER_PACKET = 8
_SOME_PACKETS = 1000
"""No file has more packets than these and one for each 8 of its bytes: what a frame without content takes in AVI."""

_CONTAINERS = "mov,avi,asf,matroska,mpeg,mpegts"
_CODECS = frozenset(
    {
        "h264", "hevc", "mjpeg", "mpeg4", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "h263", "mpeg1video", "mpeg2video",
        "wmv1", "wmv2", "wmv3", "vc1",
    }
)  # fmt: skip
_READ_AHEAD = 1 << 18
_SHORT = 0.05
"""Share by which a video may be shorter than its header says without a word about it, and seconds beside that. Cameras
leave frames out that they had no time for."""


def installed() -> bool:
    """Whether PyAV is there."""
    return importlib.util.find_spec("av") is not None


def check_installed(file: Path) -> None:
    """Before anything is done with a video.

    Raises:
        UnreadablePhotoError: PyAV is not there; once it is, `NEEDS_AV` is what to try again.
    """
    if not installed():
        raise UnreadablePhotoError(file, NEEDS_AV)


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame of a video."""

    number: int
    """From 0, in the order in which frames are shown."""
    time_s: float
    """Seconds since the first frame is shown."""
    frame: Frame
    """Keeps the decoded frame alive: let go of it before the next one is asked for."""


class Video:
    """An open video, for one walk over its frames. Use it as a context manager.

    Args:
        stream: the file, open for reading; left open.
        file: only names it in errors.
        size: bytes.
        enough: of width and height of the upright video, pixels, the width and height that are enough; frames are then
            scaled to them, and `Frame.sharper` gives more. None: all pixels.
        stopped: asked between packets; true ends the walk.

    Raises:
        IncompletePhotoError: no video, or cut so early that nothing says what is in it.
        UnreadablePhotoError: PyAV is not installed, none of the known codecs, no picture at all, or too large frames.
        StoppedError: `stopped` said so.
        OSError: the file could not be read.
    """

    def __init__(
        self,
        stream: BinaryIO,
        file: Path,
        size: int,
        sampling: Videos,
        *,
        max_pixels: int = MAX_FRAME_PIXELS,
        enough: Callable[[int, int], tuple[int, int]] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        check_installed(file)
        import av

        self._av, self._damaged = av, av.FFmpegError
        self._stream, self._file, self._sampling = stream, file, sampling
        self._max_pixels = min(max_pixels, MAX_FRAME_PIXELS)
        self._size = size
        self._enough, self._stopped = enough, stopped
        self._problems: list[str] = []
        self._taken: list[int] = []
        self._upright = (0, 0)
        self._decoded = 0
        self._container: InputContainer | None = None
        self._tags: Mapping[str, str] = {}
        try:
            self._timing, self._plan = self._list()
        finally:
            self.close()

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the decoder; the file stays open."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def samples(self) -> Iterator[Sample]:
        """The frames shown every `every_seconds`, or at `max_frames` moments evenly spread over a longer video.

        Of each moment the first frame at or after it. One decoded frame is kept at a time, beside those that the codec
        itself refers to. What cannot be decoded is left out and told of in `footage`.

        Raises:
            UnreadablePhotoError: not one of them could be decoded.
            StoppedError: `stopped` said so.
            OSError: the file could not be read.
        """
        if self._plan is None or not (yield from self._planned(self._plan)):
            yield from self._counted()
        if not self._taken:
            raise UnreadablePhotoError(self._file, "not one of its frames can be decoded")

    @property
    def footage(self) -> Footage:
        """How it was looked at; once all samples were taken."""
        return Footage(self._timing.rate, self._timing.duration_s, tuple(self._taken), "; ".join(self._problems))

    def capture(self, mtime_ns: int, zone: ZoneInfo) -> Capture:
        """How it was taken, as `video_capture.read_capture`; once a sample was taken."""
        return video_capture.read_capture(self._tags, self._upright, mtime_ns, zone)

    def _list(self) -> tuple[Timing, Plan | None]:
        container, stream = self._open()
        times: list[int | None] = []
        keys: list[bool] = []
        for packet in self._packets(container, stream):
            times.append(packet.pts)
            keys.append(packet.is_keyframe)
        if not times:
            raise IncompletePhotoError(self._file, "ends before its first frame")
        self._tags = {name.lower(): text for name, text in (*stream.metadata.items(), *container.metadata.items())}
        tick = float(stream.time_base or 0) or 1 / self._av.time_base
        timing = video_plan.timing(times, tick=tick, stated_rate=float(stream.average_rate or 0))
        stated_s = stream.duration * tick if stream.duration else (container.duration or 0) / self._av.time_base
        stated_frames = stream.frames
        if timing.duration_s < stated_s * (1 - _SHORT) - _SHORT:
            self._problem(f"ends after {timing.duration_s:.1f} of {stated_s:.1f} s")
        elif len(times) < stated_frames * (1 - _SHORT):
            self._problem(f"only {len(times)} of {stated_frames} frames are there")
        elif video_ends.find(self._stream, self._size) is End.MISSING:
            self._problem("its end is missing")
        # AVI has no times, only an order, and that is not the one in which frames are shown where a codec looks ahead.
        ordered = container.format.name != "avi" or not stream.codec_context.has_b_frames
        return timing, video_plan.plan(times, keys, timing, self._sampling) if ordered else None

    def _open(self) -> tuple[InputContainer, VideoStream]:
        self.close()
        self._stream.seek(0)
        limits = {"max_pixels": str(self._max_pixels)}
        try:
            container = self._av.open(
                self._stream,
                "r",
                options={**limits, "format_whitelist": _CONTAINERS},
                buffer_size=_READ_AHEAD,
                metadata_errors="replace",
            )
        except self._damaged as error:
            raise IncompletePhotoError(
                self._file, "no video, or its end is missing, where MP4 says what is in it"
            ) from error
        self._container = container
        if not container.streams.video:
            raise UnreadablePhotoError(self._file, "there is no picture in it")
        stream = container.streams.video[0]
        context = stream.codec_context
        codec = getattr(context, "name", "unknown")  # there is no context for one that FFmpeg does not know
        if codec not in _CODECS:
            raise UnreadablePhotoError(self._file, f"codec '{plain(codec)}': no camera is known to write that")
        if context.width * context.height > self._max_pixels:
            raise UnreadablePhotoError(
                self._file,
                f"frames of {context.width} x {context.height} pixels, more than {self._max_pixels / 1e6:g} megapixels",
            )
        context.thread_count = 1  # the others look at files of their own
        context.options = limits
        return container, stream

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        """Up to the end, or to where the file is so damaged that nothing can be found after it."""
        packets = container.demux(stream)
        for _ in range(_SOME_PACKETS + self._size // _BYTES_PER_PACKET):
            if self._stopped():
                raise StoppedError(self._file)
            try:
                packet = next(packets)
            except (StopIteration, IndexError, self._damaged):
                return  # IndexError: PyAV, in the end, of streams that it met on the way
            if packet.size:  # that which says that it was the last one has none
                yield packet
        self._problem("more frames than its size allows")

    def _planned(self, plan: Plan) -> Generator[Sample, None, bool]:
        """The wanted frames, by their times; returns False where the plan proved wrong."""
        container, stream = self._open()
        context = stream.codec_context
        wanted = dict(plan.numbers)
        begins = False
        for index, packet in enumerate(self._packets(container, stream)):
            if index >= len(plan.needed) or not wanted:
                break
            if not plan.needed[index]:
                continue
            if not self._affordable():
                break
            begins = begins or bool(plan.begins[index])
            frames = self._decode(context, packet)
            if plan.last[index]:
                frames += self._decode(context, None)
                context.flush_buffers()
            if begins and frames:
                if not frames[0].key_frame:
                    return False  # files without an index call any frame a key frame
                begins = False
            frames = [frame for frame in frames if frame.pts in wanted]
            while frames:
                frame = frames.pop(0)
                ticks = frame.pts or 0
                yield self._sample(wanted.pop(ticks), ticks, frame)
                del frame
        if wanted and self._taken:
            self._problem(f"{len(wanted)} of {len(plan.numbers)} frames could not be decoded")
        return bool(self._taken)

    def _counted(self) -> Iterator[Sample]:
        """Everything is decoded, and the frames are counted; those after the last one that was taken."""
        container, stream = self._open()
        context, timing = stream.codec_context, self._timing
        moments = video_plan.moments(timing.duration_s, self._sampling)
        number = 0
        first = self._taken[-1] + 1 if self._taken else 0
        for packet in chain(self._packets(container, stream), [None]):
            if not (moments and self._affordable()):
                return
            frames = self._decode(context, packet)
            while frames:
                frame = frames.pop(0)
                ticks = timing.first + round(number / timing.rate / timing.tick) if frame.pts is None else frame.pts
                time_s = (ticks - timing.first) * timing.tick
                if moments and time_s >= moments[0] - SLACK_S:
                    moments = [moment for moment in moments if time_s < moment - SLACK_S]
                    if number >= first:
                        yield self._sample(number, ticks, frame)
                number += 1
                del frame

    def _decode(self, context: VideoCodecContext, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        self._decoded += context.width * context.height
        try:
            return context.decode(packet)
        except self._damaged:
            return []

    def _affordable(self) -> bool:
        if self._decoded > MAX_DECODED_PIXELS:
            self._problem("too long to be looked at to its end")
        return self._decoded <= MAX_DECODED_PIXELS

    def _sample(self, number: int, ticks: int, frame: VideoFrame) -> Sample:
        width, height = frame.width, frame.height
        self._upright = (height, width) if _turns(frame) % 2 else (width, height)
        self._taken.append(number)
        scale = 1.0
        if self._enough is not None:
            scale = max(a / b for a, b in zip(self._enough(*self._upright), self._upright, strict=True))
        return Sample(number, (ticks - self._timing.first) * self._timing.tick, _scaled(frame, scale))

    def _problem(self, problem: str) -> None:
        if problem not in self._problems:
            self._problems.append(problem)


def _scaled(frame: VideoFrame, scale: float) -> Frame:
    """The frame in RGB and upright, each side times `scale`, which counts as 1 where it is more."""
    if scale >= 1:
        return Frame(_upright(frame.to_ndarray(format="rgb24"), frame))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    small = frame.reformat(width, height, "rgb24", interpolation="AREA")
    return Frame(_upright(small.to_ndarray(), frame), scale, partial(_scaled, frame))


def _turns(frame: VideoFrame) -> int:
    """Quarter turns, against the clock, that bring it upright."""
    return round(frame.rotation / 90) % 4


def _upright(pixels: Any, frame: VideoFrame) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels, _turns(frame)), np.uint8)
