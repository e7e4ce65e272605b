"""Linked views: numbers only, no window."""

import numpy as np
import pytest

from napari_attribution.desktop.compare.canvas import STEPS, map_pixels, round_length
from napari_attribution.desktop.compare.views import CLOSEST, Frame, Look, Views, counterpart, follow
from napari_attribution.desktop.layers.maps import diverging

SAME = (Frame((40, 60), (0.5, 0.5), True),) * 2
LARGER = (Frame((40, 60), (0.5, 0.5), True), Frame((100, 80), (0.25, 0.5), True))
UNKNOWN = (Frame((40, 60), (0.5, 0.5), True), Frame((100, 80)))


def views(frames, sizes=((200, 300), (200, 300))):
    made = Views()
    for index, size in enumerate(sizes):
        made.resize(index, size)
    made.show(frames)
    return made


@pytest.mark.parametrize("leader", [0, 1])
def test_the_other_view_of_a_well_of_the_same_size_looks_at_the_same_place(leader):
    both = views(SAME)
    both.move(leader, Look((5.0, 7.0), 12.0))
    assert both.looks == (Look((5.0, 7.0), 12.0),) * 2
    both.drag(leader, 24, -36)
    assert both.looks == (Look((3.0, 10.0), 12.0),) * 2


def test_linked_by_length_both_have_the_same_magnification():
    both = views(LARGER)
    both.move(0, Look((11.0, 12.0), 8.0))
    # 1 um below and 3 um left of the middle of either.
    assert both.looks[1] == Look((13.5, 17.0), 8.0)
    assert counterpart((10.0, 15.0), *LARGER, length=True) == (12.5, 20.0)


def test_linked_by_share_the_longer_sides_are_equally_long():
    both = views(UNKNOWN)
    both.move(0, Look((5.0, 7.5), 10.0))
    center, zoom = both.looks[1].center, both.looks[1].zoom
    assert center == pytest.approx((25.0, 20.0))
    assert zoom * 100 == pytest.approx(10.0 * 30)


@pytest.mark.parametrize("frames", [SAME, LARGER, UNKNOWN])
def test_following_back_is_where_one_was(frames):
    length = all(frame.in_um for frame in frames)
    look = Look((3.0, 4.0), 6.0)
    back = follow(follow(look, *frames, length), frames[1], frames[0], length)
    assert back.center == pytest.approx(look.center)
    assert back.zoom == pytest.approx(look.zoom)


@pytest.mark.parametrize("frames", [SAME, LARGER, UNKNOWN])
@pytest.mark.parametrize("sizes", [((200, 300), (200, 300)), ((100, 400), (300, 120))])
def test_fitted_both_wells_are_all_in_view_and_one_fills_its(frames, sizes):
    both = views(frames, sizes)
    filled = []
    for index, (frame, size) in enumerate(zip(frames, sizes, strict=True)):
        top, left = both.place(index, (0, 0))
        bottom, right = both.place(index, frame.size)
        assert min(top, left) >= 0
        assert bottom <= size[0]
        assert right <= size[1]
        filled.append(max((bottom - top) / size[0], (right - left) / size[1]))
    assert max(filled) == pytest.approx(0.97)


def test_what_is_under_the_mouse_stays_there_when_zoomed():
    both = views(LARGER)
    at = (30.0, 250.0)
    before = both.point(1, at)
    both.zoom(1, 2.5, at)
    assert both.point(1, at) == pytest.approx(before)
    assert both.looks[0].zoom == pytest.approx(both.looks[1].zoom)


def test_zoom_has_ends():
    both = views(SAME)
    filling = both.looks[0].zoom
    for _ in range(100):
        both.zoom(0, 2.0, (100, 150))
    assert both.looks[0].zoom == pytest.approx(CLOSEST / 0.5)
    for _ in range(100):
        both.zoom(0, 0.5, (100, 150))
    assert 0 < both.looks[0].zoom < filling


def test_point_and_place_are_each_others_reverse():
    both = views(UNKNOWN)
    both.zoom(0, 3, (10, 20))
    for index in (0, 1):
        assert both.place(index, both.point(index, (12.0, 99.0))) == pytest.approx((12.0, 99.0))


def test_wells_of_the_same_size_leave_the_views_where_they_are_and_others_fit_anew():
    both = views(SAME)
    both.move(0, Look((5.0, 7.0), 12.0))
    both.show(SAME)
    assert both.looks[0] == Look((5.0, 7.0), 12.0)
    both.show(LARGER)
    assert both.looks[0].center == (10.0, 15.0)


def test_a_view_that_is_resized_fits_again_unless_the_user_has_moved_it():
    both = views(SAME)
    before = both.looks[0].zoom
    both.resize(0, (400, 600))
    both.resize(1, (400, 600))
    assert both.looks[0].zoom == pytest.approx(2 * before)
    both.move(0, Look((5.0, 7.0), 12.0))
    both.resize(0, (100, 100))
    assert both.looks[0].zoom == 12.0


def test_the_pixel_under_a_point():
    frame = Frame((4, 6), (0.5, 0.25), True)
    assert frame.at((1.9, 1.4)) == (3, 5)
    assert frame.at((2.0, 1.0)) is None
    assert frame.at((-0.01, 1.0)) is None


def test_the_colours_of_a_map_are_those_of_naparis_layer():
    """The slow twin asks napari's own colormap, a value at a time."""
    limit = 2.0
    values = np.random.default_rng(0).uniform(-3, 3, (6, 7)).astype(np.float32)
    found = map_pixels(values, limit)
    for value, pixel in zip(values.ravel(), found.ravel(), strict=True):
        red, green, blue, alpha = diverging().map(np.array([(np.clip(value, -limit, limit) + limit) / (2 * limit)]))[0]
        wanted = np.array([alpha, red * alpha, green * alpha, blue * alpha]) * 255
        got = [int(pixel) >> shift & 255 for shift in (24, 16, 8, 0)]
        assert np.abs(wanted - got).max() <= 255 * 4 / STEPS


def test_zero_is_clear_and_signs_are_told_apart():
    clear, against, speaks = map_pixels(np.array([[0.0, -1.0, 1.0]]), 1.0)[0]
    assert clear >> 24 == 0
    assert against >> 8 & 255 > against >> 16 & 255
    assert speaks >> 16 & 255 > speaks >> 8 & 255


@pytest.mark.parametrize(("most", "length"), [(1.0, 1), (1.99, 1), (2, 2), (4.9, 2), (5, 5), (99, 50), (0.3, 0.2)])
def test_a_scale_bar_is_a_round_length(most, length):
    assert round_length(most) == pytest.approx(length)
