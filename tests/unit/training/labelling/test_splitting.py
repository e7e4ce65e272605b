"""Wells are parted as a whole, every class on every side."""

from dataclasses import replace

import numpy as np
import pytest

from napari_attribution.errors import LabelError
from napari_attribution.training.labelling.labelled import Labelled, LabelledWell
from napari_attribution.training.labelling.splitting import split


def made(*wells):
    """Wells from (plate, class)."""
    told = tuple(LabelledWell(f"{plate}/{n}", plate, "", label, ()) for n, (plate, label) in enumerate(wells))
    return Labelled(told, ("a", "b"), tuple(sorted({label for _, label in wells})), {}, (), (), "", ())


def sides(parts):
    return parts.training, parts.validation, parts.held_out


@pytest.mark.parametrize("seed", range(20))
def test_every_well_is_on_one_side_and_every_class_on_all(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(3, 30, 3)
    found = made(*(("", str(c)) for c, count in enumerate(counts) for _ in range(count)))
    parts = split(found, "well", float(rng.uniform(0.05, 0.85)), float(rng.uniform(0.05, 0.85)), seed)
    assert sorted(n for side in sides(parts) for n in side) == list(range(counts.sum()))
    for side in sides(parts):
        assert {found.wells[n].label for n in side} == set(found.classes)


@pytest.mark.parametrize("seed", range(20))
def test_no_plate_is_on_two_sides(seed):
    found = made(*((f"p{n % 5}", "ab"[n // 5 % 2]) for n in range(60)))
    parts = split(found, "plate", 0.25, 0.2, seed)
    on = [{found.wells[n].plate for n in side} for side in sides(parts)]
    assert sum(map(len, on)) == len(set.union(*on)) == 5
    for side in sides(parts):
        assert {found.wells[n].label for n in side} == {"a", "b"}


def test_shares_and_seeds():
    found = made(*(("", "ab"[n % 2]) for n in range(80)))
    parts = split(found, "well", 0.25, 0.2, 0)
    assert [len(side) for side in sides(parts)] == [48, 12, 20]
    assert parts == split(found, "well", 0.25, 0.2, 0) != split(found, "well", 0.25, 0.2, 1)


def test_what_cannot_be_parted():
    for count, said in ((1, r"1 well"), (2, r"2 wells")):
        few = replace(made(*[("", "a")] * 5, *[("", "b")] * count), notes=("One field is left out.",))
        match = rf"Too few wells of the class b \({said}\) to be parted in three.* One field is left out\.$"
        with pytest.raises(LabelError, match=match):
            split(few, "well", 0.25, 0.2, 0)
    with pytest.raises(LabelError, match="2 plates cannot be parted in three"):
        split(made(("p", "a"), ("p", "b"), ("q", "a"), ("q", "b")), "plate", 0.25, 0.2, 0)
    with pytest.raises(LabelError, match="The class 'b' is on 1 of the 3 plates only"):
        split(made(*((p, "a") for p in "pqr"), ("p", "b"), ("p", "b"), ("p", "b")), "plate", 0.25, 0.2, 0)
    # Each class is on three plates, but no three groups of plates have both.
    apart = made(*((p, "a") for p in "pqr"), *((p, "b") for p in "stu"))
    assert split(apart, "plate", 0.34, 0.5, 0)
    with pytest.raises(LabelError, match="The plates cannot be parted so that every class is on every side"):
        split(apart, "plate", 0.01, 0.01, 0)
