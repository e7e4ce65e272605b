"""Augmentation and the order of an epoch."""

from __future__ import annotations

import numpy as np
import pytest

from napari_attribution.training.fields.augmentation import Augmentation
from napari_attribution.training.network.epochs import batches, rng_of


def coordinates(side: int = 24, stains: int = 3) -> np.ndarray:
    """One field whose pixels are numbered, each stain by thousands more: wherever a pixel comes to lie, it is known."""
    plane = np.arange(side * side, dtype=np.float32).reshape(side, side)
    return np.stack([plane + 1000 * stain for stain in range(stains)])[None]


def test_all_stains_are_moved_alike_and_none_is_mixed_into_another() -> None:
    inputs, seen = coordinates(), set()
    for number in range(40):
        piece = Augmentation(crop=0.67).draw(inputs, np.array([0]), rng_of(number, 1)).numpy()[0]
        assert piece.shape == (3, 16, 16)
        for stain in range(3):
            np.testing.assert_array_equal(piece[stain] - 1000 * stain, piece[0])
        y, x = np.divmod(piece[0], 24)
        # A piece is a square of the field, turned or mirrored: neighbours stay neighbours.
        assert y.max() - y.min() == x.max() - x.min() == 15
        assert (np.abs(np.diff(y, axis=0)) + np.abs(np.diff(x, axis=0)) == 1).all()
        step = (piece[0, 0, 1] - piece[0, 0, 0], piece[0, 1, 0] - piece[0, 0, 0])
        seen.add(tuple(step))
    assert len(seen) == 8


def test_brightness_is_each_stains_own() -> None:
    inputs = np.ones((2, 3, 8, 8), np.float16)
    gains = Augmentation(brightness=0.2).draw(inputs, np.array([0, 1, 1]), rng_of(0, 1)).numpy()
    assert gains.dtype == np.float32
    assert (gains == gains[..., :1, :1]).all()
    assert np.unique(gains[:, :, 0, 0]).size == 9
    assert gains.min() >= 0.6
    assert gains.max() <= 1.4


def test_fields_that_are_not_square_keep_their_shape_and_without_turns_all_stays_in_place() -> None:
    oblong = np.random.default_rng(0).random((1, 2, 16, 24), np.float32)
    assert {Augmentation().draw(oblong, np.array([0]), rng_of(n, 1)).shape for n in range(8)} == {(1, 2, 16, 24)}
    np.testing.assert_array_equal(Augmentation(turns=False).draw(oblong, np.array([0]), rng_of(0, 1)), oblong)


@pytest.mark.parametrize(("count", "batch", "least"), [(10, 4, 10), (100, 16, 1), (7, 16, 3)])
def test_an_epoch_sees_all_classes_alike_and_all_of_a_class_alike(count: int, batch: int, least: int) -> None:
    classes = (np.arange(count) % 5 == 0).astype(np.int64)
    steps = batches(classes, batch, least, rng_of(0, 1))
    assert len(steps) >= least
    assert all(len(step) == batch for step in steps)
    drawn = np.bincount(np.concatenate(steps), minlength=count)
    of_classes = [drawn[classes == one] for one in (0, 1)]
    assert abs(of_classes[0].sum() - of_classes[1].sum()) <= 1
    for of_class in of_classes:
        assert of_class.max() - of_class.min() <= 2
    assert all(abs((classes[step] == 0).sum() - batch / 2) <= 1 for step in steps)


def test_epochs_differ_and_come_again() -> None:
    classes = np.arange(40) % 2
    one, again, next_one = (np.concatenate(batches(classes, 8, 1, rng_of(3, epoch))) for epoch in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, next_one)
