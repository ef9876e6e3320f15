"""Camera-trap scenes composed from photographed textures and cut-outs: a place, by day or by night, with its cast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.tryout.cutouts import CATEGORY, Cutout, Mask, Subject, cutout, photograph
from edge_runtime.values import Box, Category, Pixels

WIDTH, HEIGHT = 1280, 960
STRIP = 48
"""Height of the info strip at the bottom, pixels."""

Place = Literal["meadow", "track"]
Real = NDArray[np.float32]

_GROUND = HEIGHT - STRIP
_HORIZON = {"meadow": 380, "track": 330}
_TINT = {"meadow": (0.86, 1.0, 0.52), "track": (1.08, 0.98, 0.84)}
_LEAVES = (0.50, 0.66, 0.34)
_BARK = (0.62, 0.52, 0.42)
_TRUNKS = {"meadow": ((150, 52), (470, 30), (905, 70), (1130, 38)), "track": ((70, 60), (600, 26), (1010, 44))}
"""Left edge and width, pixels."""


@dataclass(frozen=True, slots=True)
class Role:
    """One subject of a scene."""

    subject: Subject
    x: int
    """Left edge of the cut-out (mirrored: right edge, counted from the right), pixels; may be outside the frame."""
    scale: float
    """Against the photograph that the subject was cut from."""
    step: int = 0
    """Pixels that it moves towards the other side from shot to shot."""
    mirrored: bool = False
    shade: float = 1.0
    """Brightness of its coat."""
    lift: int = 0
    """Pixels that its lower edge stands above the info strip."""

    @property
    def category(self) -> Category:
        return CATEGORY[self.subject]


def compose(
    place: Place, cast: tuple[Role, ...], *, shot: int, night: bool
) -> tuple[Pixels, tuple[tuple[Category, Box], ...]]:
    """One photo without noise, strip and metadata, and where its subjects are.

    Args:
        shot: number within the burst; wind and steps follow from it.
        night: the grey picture of an infrared flash.
    """
    canvas = _scenery(place, shot % 4)
    # The flash falls off with distance: the scenery darkens, what walks in front of it hardly does.
    canvas = _infrared(canvas, nearness=1.0) if night else canvas.copy()
    boxes = tuple((role.category, _paste(canvas, role, shot, night=night)) for role in cast)
    return np.clip(canvas, 0, 255).astype(np.uint8), boxes


@cache
def _scenery(place: Place, wind: int) -> Real:
    """Height x width x 3, float32, 0..255; `wind` moves the leaves a little."""
    horizon = _HORIZON[place]
    canvas = np.empty((HEIGHT, WIDTH, 3), np.float32)
    canvas[:] = _leaves(wind)
    for left, width in _TRUNKS[place]:
        _plant(canvas, left, width, horizon + 24)
    ground = _ground(_texture("grass") if place == "meadow" else _texture("gravel"), horizon) * _colour(_TINT[place])
    if place == "track":
        verge = _ground(_texture("grass"), horizon) * _colour(_TINT["meadow"])
        ground = _blend(ground, verge, _verge_mask(horizon))
    edge = _fringe(horizon)
    return _blend(canvas, ground, edge)


def _leaves(wind: int) -> Real:
    """Bushes out of focus, brighter towards the sky."""
    texture = cv2.resize(_texture("grass")[:240, :320], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    texture = cv2.GaussianBlur(np.roll(texture, 3 * wind, axis=1), (0, 0), 5).astype(np.float32)
    contrast = (texture - texture.mean()) * 1.7 + 95
    light = np.linspace(1.5, 0.55, HEIGHT, dtype=np.float32)[:, np.newaxis]
    return np.asarray((contrast * light)[..., np.newaxis] * _colour(_LEAVES), np.float32)


def _plant(canvas: Real, left: int, width: int, foot: int) -> None:
    """A tree trunk: the texture drawn out along the stem, round by its shading."""
    texture = _texture("grass")[100:160, 40 : 40 + width]
    bark = cv2.resize(texture, (width, foot), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    across = np.linspace(-1, 1, width, dtype=np.float32)
    bark *= 0.75 * np.sqrt(np.clip(1.08 - across**2, 0, 1))
    mask = np.broadcast_to(np.clip((1 - np.abs(across)) * width / 5, 0, 1), (foot, width)).astype(np.float32)
    window = canvas[:foot, left : left + width]
    window[:] = _blend(window, bark[..., np.newaxis] * _colour(_BARK), mask)


def _ground(texture: Mask, horizon: int) -> Real:
    """The texture laid flat: coarse in front, fine and hazy towards the horizon. Height x width x 3."""
    tiles = np.vstack([np.hstack([texture, texture[:, ::-1]] * 2)] * 2)
    tiles[512:] = tiles[:512][::-1]
    high, wide = tiles.shape
    corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    laid = np.array([(-200, horizon), (WIDTH + 200, horizon), (WIDTH + 1500, HEIGHT), (-1500, HEIGHT)], np.float32)
    flat = cv2.warpPerspective(
        tiles,
        cv2.getPerspectiveTransform(corners, laid),
        (WIDTH, HEIGHT),
        flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REFLECT,
    ).astype(np.float32)
    light = np.interp(np.arange(HEIGHT), (horizon, HEIGHT), (0.78, 1.05)).astype(np.float32)
    return np.repeat((flat * light[:, np.newaxis])[..., np.newaxis], 3, axis=2)


def _fringe(horizon: int) -> Real:
    """1 where the ground is: its far edge is ragged like grass."""
    rng = np.random.default_rng(horizon)
    blades = cv2.GaussianBlur(rng.normal(0, 40, (1, WIDTH)).astype(np.float32), (0, 0), 3)[0]
    rows = np.arange(HEIGHT, dtype=np.float32)[:, np.newaxis]
    return np.asarray(np.clip((rows - horizon - blades) / 6, 0, 1), np.float32)


def _verge_mask(horizon: int) -> Real:
    """1 beside the track, 0 on it; the track narrows towards the horizon."""
    rows = np.arange(HEIGHT, dtype=np.float32)[:, np.newaxis]
    half = 130 + (rows - horizon) * 0.55
    rng = np.random.default_rng(7)
    ragged = cv2.GaussianBlur(rng.normal(0, 260, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 7)
    away = np.abs(np.arange(WIDTH, dtype=np.float32) - 660) - half + ragged
    return np.asarray(np.clip(away / 20, 0, 1), np.float32)


def _paste(canvas: Real, role: Role, shot: int, *, night: bool) -> Box:
    """Put a subject into the picture; where it is, clipped to the frame."""
    pixels, mask = _posed(role)
    if night:
        pixels = _infrared(pixels, nearness=0.12)
    height, width = mask.shape
    x = role.x + role.step * shot
    left = WIDTH - x - width if role.mirrored else x
    top = _GROUND - role.lift - height
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + width, WIDTH), top + height
    inside = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
    if role.subject == "motorcycle":
        _shadow(canvas, left, width, y2)
    window = canvas[y1:y2, x1:x2]
    window[:] = _blend(window, pixels[inside], mask[inside])
    seen = mask[inside] > 0.5
    columns, rows = np.flatnonzero(seen.any(axis=0)) + x1, np.flatnonzero(seen.any(axis=1)) + y1
    return Box(columns[0] / WIDTH, rows[0] / HEIGHT, (columns[-1] + 1) / WIDTH, (rows[-1] + 1) / HEIGHT)


@cache
def _posed(role: Role) -> tuple[Real, Real]:
    """The cut-out of a role, scaled, turned and lit: pixels (float32, 0..255) and mask (float32, 0..1)."""
    source: Cutout = cutout(role.subject)
    mask: Mask = source.mask.copy()
    if role.subject == "cat":
        mask = _among_grass(mask)
    pixels = source.pixels
    if role.mirrored:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    method = cv2.INTER_AREA if role.scale < 1 else cv2.INTER_CUBIC
    big = cv2.resize(pixels, None, fx=role.scale, fy=role.scale, interpolation=method).astype(np.float32)
    soft = cv2.resize(mask, (big.shape[1], big.shape[0]), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    return np.clip(big * np.float32(role.shade), 0, 255), soft.astype(np.float32)


def _among_grass(mask: Mask) -> Mask:
    """Hide the lower edge, where the photograph ends, behind blades."""
    rng = np.random.default_rng(3)
    height, width = mask.shape
    blades = cv2.GaussianBlur(rng.normal(0, 26, (1, width)).astype(np.float32), (0, 0), 1.2)[0] + 16
    rows = np.arange(height, dtype=np.float32)[:, np.newaxis]
    low = np.clip((height - rows - blades) / 5, 0, 1)
    return np.asarray(mask * low, np.uint8)


def _shadow(canvas: Real, left: int, width: int, foot: int) -> None:
    dark = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(dark, (left + width // 2, foot - 34), (int(width * 0.46), 34), 0, 0, 360, (0.6,), -1)
    soft: Real = np.asarray(cv2.GaussianBlur(dark, (0, 0), 14), np.float32)
    canvas *= 1 - soft[..., np.newaxis]


def _infrared(picture: Real, *, nearness: float) -> Real:
    """What the sensor sees by its own flash: grey, brightest in the middle.

    Args:
        nearness: how strongly the light falls off towards the edges; near things are lit more evenly.
    """
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(np.clip(picture, 0, 255).astype(np.float32), cv2.COLOR_RGB2GRAY)
    rows = np.arange(height, dtype=np.float32)[:, np.newaxis] / height - 0.6
    columns = np.arange(width, dtype=np.float32) / width - 0.5
    flash = np.exp(-nearness * (3.2 * columns**2 + 2.6 * rows**2))
    lit = np.clip((grey / 255) ** 0.9 * flash * 1.15, 0, 1) * 255
    return np.repeat(lit[..., np.newaxis], 3, axis=2).astype(np.float32)


@cache
def _texture(name: Literal["grass", "gravel"]) -> Mask:
    """A grey photograph, 512 x 512."""
    return photograph(name)


def _colour(tint: tuple[float, float, float]) -> Real:
    return np.array(tint, np.float32)


def _blend(under: Real, over: Real, mask: Real) -> Real:
    return np.asarray(under + (over - under) * mask[..., np.newaxis], np.float32)
