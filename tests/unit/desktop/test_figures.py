from types import SimpleNamespace

import pytest

from napari_attribution.desktop.widgets import figures


@pytest.mark.parametrize(
    ("forwards", "seconds", "inputs", "words"),
    [
        (34, 0.4, 1, "Takes about 1 s."),
        (506, 31, 1, "Takes about 510 forwards: 30 s here."),
        (6072, 200, 12, "Takes about 6\u2009100 forwards (12 inputs): 3 min here."),
        (12.2, 4.4, 1, "Takes about 12 forwards: 4 s here."),
        (1e6, 9000, 1, "Takes about 1\u2009000\u2009000 forwards: 2.5 h here."),
    ],
)
def test_what_it_will_take(forwards, seconds, inputs, words):
    assert figures.work(forwards, seconds, inputs) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (103.2, 4012.4, "103 – 4012"),
        (-1.234, 3.456, "−1.2 – 3.5"),
        (-74.5, -70.2, "−74 – −70"),
        (0.0, 1.0, "0.00 – 1.00"),
        (-0.001, 0.5, "0.00 – 0.50"),
        (0.0, 3e-4, "0 – 0.0003"),
        (0.0, 2.5e6, "0 – 2.5e+06"),
        (float("nan"), 1.0, "not numbers"),
    ],
)
def test_from_one_number_to_another(low, high, words):
    assert figures.span(low, high) == words.replace(" –", "\u00a0–")


def test_a_detector_gives_nothing_below_zero():
    one = SimpleNamespace(raw=(0, 100, 200, 900, 1000), expected=(-500.0, 1500.0), normalised=(0, 0, 0, 0, 0))
    assert figures.expected(one) == "0\u00a0– 1500"
    one.raw = (-20, -5, 0, 5, 20)
    assert figures.expected(one) == "−500\u00a0– 1500"
    one.expected = None
    assert figures.expected(one) == ""


def test_free_memory_is_said_once():
    assert figures.with_free("CPU, 2 cores", 3 * 2**30) == "CPU, 2 cores, 3.0 GiB free"
    assert figures.with_free("H200, 120 GiB free", 120 * 2**30) == "H200, 120 GiB free"
    assert figures.with_free("Apple GPU", None) == "Apple GPU"
