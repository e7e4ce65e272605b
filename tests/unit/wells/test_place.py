import json

import numpy as np
import pytest

from napari_attribution.errors import RequestError
from napari_attribution.wells.place import Place


def test_a_cell_of_a_label_image():
    labels = np.zeros((8, 10), int)
    labels[2:5, 3:7] = 4
    place = Place.of_label(labels, 4)
    assert place.name == "cell 4"
    assert place.mask.sum() == 12
    assert place.box == (slice(2, 5), slice(3, 7))
    assert place.centre == (3.0, 4.5)


def test_a_square_is_cut_off_at_the_border():
    place = Place.square((20, 30), (1.0, 29.0), 6)
    assert place.box == (slice(0, 4), slice(26, 30))
    assert place.name == "row 1, column 29"


def test_the_middle_pixel_of_an_odd_square_is_the_point():
    place = Place.square((20, 30), (7.4, 11.6), 1)
    assert np.argwhere(place.mask).tolist() == [[7, 12]]


def test_a_polygon():
    place = Place.polygon((20, 20), [(2, 2), (2, 10), (10, 10), (10, 2)])
    assert place.mask[5, 5]
    assert not place.mask[12, 5]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Place(np.zeros((4, 4))),
        lambda: Place(np.ones((1, 4, 4))),
        lambda: Place.of_label(np.ones((4, 4), int), 7),
        lambda: Place.square((4, 4), (4.0, 0.0), 3),
        lambda: Place.polygon((4, 4), [(9, 9), (9, 12), (12, 12)]),
        lambda: Place.of_record({"name": "x", "shape": [4, 4]}),
        lambda: Place.of_record({"name": "x", "shape": [4, 4], "runs": [[9, 0, 2]]}),
    ],
)
def test_what_is_no_place_is_a_sentence(make):
    with pytest.raises(RequestError, match=r"\. |\.$"):
        make()


def test_the_record_gives_the_very_same_place():
    rng = np.random.default_rng(0)
    for _ in range(20):
        place = Place(rng.random((13, 17)) < 0.4, "odd")
        again = Place.of_record(json.loads(json.dumps(place.record)))
        assert (again.mask == place.mask).all()
        assert again.name == "odd"
