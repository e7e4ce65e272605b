"""A .pt2 file that is damaged is refused with a sentence."""

import pytest

from napari_attribution.classifiers.files.pt2.opening import open_pt2
from napari_attribution.errors import ClassifierError

from .conftest import MODEL, WEIGHTS, changed, graph


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda parts: parts.pop(WEIGHTS), "lacks its part data/weights/model_weights_config.json"),
        (lambda parts: parts.pop(MODEL), "holds no network"),
        (lambda parts: parts.pop("net/data/weights/weight_0"), "lacks its part data/weights/weight_0"),
        (lambda parts: parts.update({"net/data/weights/weight_0": b"1234"}), "wants more numbers than its part holds"),
        (lambda parts: parts.update({"net/byteorder": b"big"}), "big-endian"),
        (lambda parts: parts.update({"net/archive_version": b"x"}), "names a format that is not known"),
        (lambda parts: parts.update({MODEL: b"{"}), "is no JSON"),
        (lambda parts: parts.update({MODEL: b"[" * 100_000}), "is no JSON"),
        (lambda parts: graph(parts)["nodes"].clear(), "torch .* cannot open"),
        (
            lambda parts: parts[MODEL].update(schema_version={"major": 99, "minor": 0}),
            "torch .* cannot open.*newer torch",
        ),
        (lambda parts: parts[WEIGHTS].update(config=7), "description makes no sense"),
        (
            lambda parts: parts[MODEL].update(range_constraints={"s77": {"min_val": 10**30, "max_val": 2}}),
            "absurd size",
        ),
    ],
)
def test_damaged_files(change, sentence, good, tmp_path):
    with pytest.raises(ClassifierError, match=sentence):
        open_pt2(changed(good, tmp_path, change))


@pytest.mark.parametrize("key", ["sizes", "strides", "storage_offset"])
def test_a_tensor_stays_within_its_bytes(key, good, tmp_path):
    def change(parts):
        meta = parts[WEIGHTS]["config"]["blocks.0.conv1.weight"]["tensor_meta"]
        if key == "storage_offset":
            meta[key] = {"as_int": 1}
        else:
            meta[key][0] = {"as_int": 10**6}

    with pytest.raises(ClassifierError, match="wants more numbers than its part holds"):
        open_pt2(changed(good, tmp_path, change))
