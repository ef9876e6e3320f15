"""Videos whose every frame shows its own number, in the containers and codecs that cameras write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

BITS = 12
WIDTH, HEIGHT = 352, 288
KINDS = {
    "mp4-h264": ("mp4", "libx264", "video.mp4"),
    "mp4-hevc": ("mp4", "libx265", "video.MP4"),
    "mp4-mpeg4": ("mp4", "mpeg4", "video.mp4"),
    "m4v-h264": ("mp4", "libx264", "video.m4v"),
    "mov-h264": ("mov", "libx264", "video.mov"),
    "mov-mjpeg": ("mov", "mjpeg", "video.MOV"),
    "avi-mjpeg": ("avi", "mjpeg", "video.avi"),
    "avi-mpeg4": ("avi", "mpeg4", "video.AVI"),
    "avi-h264": ("avi", "libx264", "video.avi"),
    "avi-msmpeg4v2": ("avi", "msmpeg4v2", "video.avi"),
    "asf-msmpeg4": ("asf", "msmpeg4", "video.asf"),
    "wmv-wmv1": ("asf", "wmv1", "video.wmv"),
    "wmv-wmv2": ("asf", "wmv2", "video.wmv"),
    "mkv-h264": ("matroska", "libx264", "video.mkv"),
    "mkv-mjpeg": ("matroska", "mjpeg", "video.mkv"),
    "mpg-mpeg1": ("mpeg", "mpeg1video", "video.mpg"),
    "mpg-mpeg2": ("vob", "mpeg2video", "video.mpg"),
    "mts-h264": ("mpegts", "libx264", "video.mts"),
    "3gp-h263": ("3gp", "h263", "video.3gp"),
    "3gp-mpeg4": ("3gp", "mpeg4", "video.3gp"),
}
"""Name: FFmpeg's container, its encoder, and a file name."""


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """A frame that shows its number: the upper half has a black or white stripe for each bit."""
    pixels = np.full((height, width, 3), (90, 110, 130), np.uint8)
    for bit in range(BITS):
        pixels[: height // 2, bit * width // BITS : (bit + 1) * width // BITS] = 255 if number >> bit & 1 else 0
    return pixels


def number_in(pixels: NDArray[np.uint8]) -> int:
    """The number that a frame shows."""
    height, width = pixels.shape[:2]
    middles = [int((bit + 0.5) * width / BITS) for bit in range(BITS)]
    return sum(int(pixels[height // 4, x].mean() > 127) << bit for bit, x in enumerate(middles))


def write(
    file: Path,
    kind: str = "mp4-h264",
    *,
    frames: int = 75,
    rate: int = 25,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    times: Iterable[Fraction] | None = None,
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    sound: bool = False,
    draw: Callable[[int, int, int], NDArray[np.uint8]] = picture,
    group: int = 12,
) -> Path:
    """Write a video of `frames` frames, at `times` (seconds) or `rate` a second.

    Args:
        group: frames from one that stands alone to the next.
        sound: a tone beside it.
    """
    container_name, codec, _ = KINDS[kind]
    with av.open(str(file), "w", format=container_name, options={} if options is None else options) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.bit_rate = 2_000_000
        stream.codec_context.gop_size = group
        if codec == "libx264":
            stream.options = {"preset": "ultrafast" if size[0] > 1000 else "veryfast"}
        if codec == "libx265":
            stream.options = {"preset": "ultrafast", "x265-params": "log-level=none"}
        tone = container.add_stream("mp2" if container_name == "vob" else "aac", rate=44100) if sound else None
        tick = Fraction(1, 1000) if times is not None else Fraction(1, rate)
        if times is not None:
            stream.codec_context.time_base = tick
        moments = [Fraction(number, rate) for number in range(frames)] if times is None else list(times)[:frames]
        for number, moment in enumerate(moments):
            frame = av.VideoFrame.from_ndarray(draw(number, *size), format="rgb24")
            frame.pts, frame.time_base = round(moment / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            _sing(container, tone, float(moments[-1]))
    return file


def write_sound(file: Path, seconds: float = 2.0) -> Path:
    """An MP4 with a tone and no picture."""
    with av.open(str(file), "w", format="mp4") as container:
        _sing(container, container.add_stream("aac", rate=44100), seconds)
    return file


def decoded_by_opencv(file: Path) -> list[NDArray[np.uint8]]:
    """Every frame, RGB, by OpenCV's own copy of FFmpeg: counted as everybody counts."""
    capture = cv2.VideoCapture(str(file))
    frames = []
    while True:
        there, pixels = capture.read()
        if not there:
            return frames
        frames.append(np.asarray(pixels[:, :, ::-1], np.uint8))


def _sing(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    samples = 1024
    for index in range(int(seconds * 44100 / samples)):
        moments = (np.arange(samples) + index * samples) / 44100
        wave = (np.sin(moments * 2 * np.pi * 440) * 0.3).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 44100, index * samples
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
