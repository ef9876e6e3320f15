"""Synthetic bursts: no photo with which the prefilter is measured is looked at here."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_runtime.prefilter import glance
from edge_runtime.prefilter.glance import Glance
from edge_runtime.tryout.scenes import Place, Role
from tests.prefilter.scenes import seen, shoot

EVERYWHERE = pytest.mark.parametrize(("place", "night"), [("meadow", False), ("meadow", True), ("track", False)])


@EVERYWHERE
def test_noise_a_little_wind_light_and_the_clock_in_the_strip_are_no_change(place: Place, night: bool) -> None:
    before = shoot(place, night=night)
    for number, (wind, light) in enumerate([(0, 1.0), (1, 1.0), (1, 1.05), (1, 0.95)]):
        after = shoot(place, night=night, wind=wind, light=light, clock=f"06:00:{number + 1:02d}", seed=number + 2)
        assert glance.nothing_changed(before, after), (wind, light)


@pytest.mark.parametrize("sway", [-4, 4])
def test_a_camera_that_sways_a_little_is_no_change(sway: int) -> None:
    assert glance.nothing_changed(shoot(), shoot(sway=sway, seed=2))


@EVERYWHERE
@pytest.mark.parametrize("x", [-60, 500])
def test_whatever_comes_or_goes_is_a_change_even_at_the_edge(place: Place, night: bool, x: int) -> None:
    empty, cat = shoot(place, night=night), shoot(place, Role("cat", x, 0.3, lift=120), night=night, wind=1, seed=2)
    assert not glance.nothing_changed(empty, cat)
    assert not glance.nothing_changed(cat, empty)


def test_something_small_is_a_change_though_the_light_changed_and_the_camera_swayed() -> None:
    cat = shoot("meadow", Role("cat", 500, 0.25, lift=120), light=1.05, sway=4, seed=2)
    assert not glance.nothing_changed(shoot(), cat)


def test_noise_alone_is_a_change_in_one_pair_of_a_hundred() -> None:
    chance, changed, pairs = np.random.default_rng(11), 0, 2000
    nothing_printed = np.zeros(120, np.bool_)
    for _ in range(pairs):
        noise = chance.normal(128, 2, (2, 120, 160)).astype(np.float32)
        first, second = (Glance(np.asarray(cv2.GaussianBlur(each, (3, 3), 0)), nothing_printed) for each in noise)
        changed += not glance.nothing_changed(first, second)
    assert changed <= pairs * 0.02


def test_another_place_another_size_and_a_covered_lens_are_changes() -> None:
    meadow = shoot()
    assert not glance.nothing_changed(meadow, shoot("track"))
    assert not glance.nothing_changed(meadow, seen(np.full((960, 1280, 3), 3, np.uint8)))
    assert not glance.nothing_changed(meadow, seen(np.full((720, 1280, 3), 90, np.uint8)))


def test_a_black_sky_is_no_strip_in_all_its_height() -> None:
    pixels = np.full((960, 1280, 3), 8, np.uint8)
    pixels[700:] = 120
    owl = pixels.copy()
    owl[200:240, 600:660] = 180
    assert not glance.nothing_changed(seen(pixels), seen(owl))


@pytest.mark.parametrize("size", [(159, 200), (4000, 100)])
def test_what_is_too_small_to_be_compared_gives_no_glance(size: tuple[int, int]) -> None:
    stream = io.BytesIO()
    Image.new("RGB", size, "gray").save(stream, "JPEG")
    assert glance.take(stream.getvalue(), Image.open(stream)) is None


def test_other_formats_give_no_glance() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), "gray").save(stream, "PNG")
    assert glance.take(stream.getvalue(), Image.open(stream)) is None


@pytest.mark.parametrize("size", [(640, 480), (1280, 960), (4032, 3024), (333, 250)])
def test_a_glance_has_the_same_width_whatever_the_photo(size: tuple[int, int]) -> None:
    width, height = size
    taken = seen(np.full((height, width, 3), 90, np.uint8))
    assert taken.pixels.shape == (round(height * 160 / width), 160)
    assert float(taken.pixels.mean()) == pytest.approx(90, abs=1)
