"""Values without their numbers: what is looked at where only shapes count."""

import torch

from napari_attribution.classifiers.splitting.beginnings.hollow import hollow


def test_shapes_stay_and_a_number_stays_a_number():
    x = torch.ones(2, 3)
    values = {"x": x, "row": x[0], "mean": x.mean(), "list": [x.sum(), 7], "kept": torch.zeros(4)}
    found = hollow(values, {"x", "row", "mean", "list"})
    assert found["x"].shape == (2, 3)
    assert found["row"].shape == (3,)
    assert found["mean"].shape == ()
    assert found["list"][0].shape == ()
    assert found["list"][1] == 7
    assert found["kept"] is values["kept"]
    assert found["x"].untyped_storage()._cdata == found["row"].untyped_storage()._cdata
    assert found["x"].untyped_storage().nbytes() == x.element_size()
