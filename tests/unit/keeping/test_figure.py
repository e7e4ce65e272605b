"""The figure: right colours, a round scale bar, nothing cut, nothing over anything else, letters that stay letters."""

import itertools
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.text import Text

from napari_attribution import Place, Well
from napari_attribution.errors import OutputError
from napari_attribution.keeping.figure import Look, default_look, figure, words, write_figure
from napari_attribution.keeping.figure.looks import composite, evenly, overlaid
from napari_attribution.keeping.figure.pictures import round_length
from napari_attribution.keeping.figure.text import shortened, width, wrapped

LONG = "mitochondria_fragmented_and_dispersed_all_over_the_cytoplasm_of_most_cells"


def case(name, well, answer, of_a_cell):
    names = (
        "DNA of the nuclei, Hoechst 33342 (405 nm, wide)",
        "ER $x_2$",
        "RNA",
        "AGP",
        "Mito",
        "Lysosome",
        "Tubulin",
        "Lamin",
    )
    if name == "a cell":
        return well, of_a_cell
    if name == "one stain":
        return (
            Well(well.pixels[4:, :200], ("Mito",), well.pixel_size),
            replace(
                answer, values=answer.map[:200], stains=("Mito",), channel_importance={"Mito": 1.0}, channel_spread={}
            ),
        )
    if name == "eight stains, no pixel size":
        shares = dict(zip(names, (0.4, -0.3, 0.1, 0.1, 0.05, 0.05, 0.0, float("nan")), strict=True))
        eight = Well(np.concatenate([well.pixels, well.pixels[:3]]), names, source=(f"{LONG * 3}.tif",))
        answer = replace(answer, values=answer.map, stains=names, channel_importance=shares, pixel_size=None)
        return eight, replace(answer, channel_spread=dict.fromkeys(names, 0.04))
    if name == "long names":
        return Well(well.pixels, well.stains, well.pixel_size, source=(LONG * 3,)), replace(
            answer, target=LONG, predicted=LONG, probabilities={LONG: 0.9, "b": 0.1}, units=LONG, trust=(LONG * 5, "Well."),
            importance_meaning=LONG,
        )  # fmt: skip
    if name == "tall":
        return Well(well.pixels[:, :, :100], well.stains, well.pixel_size), replace(
            answer, values=answer.values[..., :100]
        )
    if name == "not asked for":
        return well, replace(answer, channel_importance=dict.fromkeys(answer.stains, 0.0))
    return well, answer


CASES = ("sample", "a cell", "one stain", "eight stains, no pixel size", "long names", "tall", "not asked for")


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_cut_and_nothing_overlaps(name, well, answer, of_a_cell):
    drawn = figure(*case(name, well, answer, of_a_cell))
    assert drawn.get_size_inches()[0] * 25.4 == pytest.approx(180)
    drawn.set_dpi(300)
    renderer = drawn.canvas.get_renderer()
    page = drawn.bbox
    boxes = [
        (text.get_text(), text.get_window_extent(renderer)) for text in drawn.findobj(Text) if text.get_text().strip()
    ]
    assert len(boxes) > 10
    for words_there, box in boxes:
        assert box.x0 >= page.x0 - 0.5, words_there
        assert box.x1 <= page.x1 + 0.5, words_there
        assert box.y0 >= page.y0 - 0.5, words_there
        assert box.y1 <= page.y1 + 0.5, words_there
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across, along = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        # Extents of lines under one another touch by the room of their descenders.
        assert across < 1 or along < 0.35 * min(a.height, b.height), (one, other)
    # The bars and their names stand right of the pictures, the caption under all of them.
    pictures = [axes for axes in drawn.axes if axes.images]
    for one, other in itertools.combinations(pictures, 2):
        assert not one.bbox.overlaps(other.bbox) or name == "a cell"
    lowest = min(axes.bbox.y0 for axes in pictures)
    assert next(box.y1 for told, box in boxes if told.startswith("(a) ")) < lowest


def test_the_size_on_paper(well, answer, tmp_path):
    from PIL import Image

    with Image.open(write_figure(figure(well, answer), tmp_path / "a.png")) as picture:
        assert picture.width == pytest.approx(180 / 25.4 * 300, abs=1)
        assert picture.info["dpi"][0] == pytest.approx(300, abs=0.1)


def test_letters_stay_letters(well, answer, tmp_path):
    drawn = figure(well, answer)
    svg = write_figure(drawn, tmp_path / "a.svg").read_text("utf-8")
    assert "phenotypes.pt calls it mito fragmented" in svg.replace("\n", " ") or ">(a) " in svg
    assert "<text" in svg
    pdf = write_figure(drawn, tmp_path / "a.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


def test_matplotlib_is_left_as_it_was(well, answer, tmp_path):
    before = dict(matplotlib.rcParams)
    write_figure(figure(well, answer), tmp_path / "a.svg")
    assert dict(matplotlib.rcParams) == before
    assert not Gcf.get_all_fig_managers()


@pytest.mark.parametrize("name", ["a.gif", "a", "a.tiff"])
def test_other_endings_are_refused(well, answer, tmp_path, name):
    with pytest.raises(OutputError, match=r"ends in \.png, \.svg or \.pdf"):
        write_figure(figure(well, answer), tmp_path / name)
    assert not list(tmp_path.iterdir())


def slow_pixel(well, look, values, row, column):
    """One pixel, by hand."""
    total = np.zeros(3)
    for stain, plane in zip(well.stains, well.pixels, strict=True):
        if stain in look.colours and stain not in look.hidden:
            low, high = look.limits[stain]
            share = min(max((float(plane[row, column]) - low) / (high - low), 0), 1)
            table = look.colours[stain]
            at = round(share * 255) / 255 * (len(table) - 1)
            below = int(at)
            above = min(below + 1, len(table) - 1)
            total += table[below] + (at - below) * (np.asarray(table[above]) - table[below])
    total = np.clip(total, 0, 1)
    low, high = look.evidence_limits
    share = min(max((float(values[row, column]) - low) / (high - low), 0), 1)
    red, green, blue, alpha = evenly(look.evidence)[round(share * 255)]
    return total, total + alpha * look.opacity * (np.array([red, green, blue]) - total)


def test_colours_are_the_layers_own():
    rng = np.random.default_rng(0)
    well = Well(rng.integers(0, 1000, (3, 12, 17)), ("A", "B", "C"))
    values = rng.normal(size=(12, 17)).astype(np.float32)
    colours = {"A": rng.random((5, 3)), "B": rng.random((2, 3)), "C": rng.random((256, 3))}
    limits = {"A": (100.0, 700.0), "B": (0.0, 900.0), "C": (0.0, 1.0)}
    look = Look(colours, limits, rng.random((7, 4)), (-1.0, 2.0), 0.6, frozenset({"C"}))
    picture = composite(well, look)
    over = overlaid(picture, values, look)
    for row, column in itertools.product(range(12), range(17)):
        plain, mixed = slow_pixel(well, look, values, row, column)
        np.testing.assert_allclose(picture[row, column], plain, atol=1e-5)
        np.testing.assert_allclose(over[row, column], mixed, atol=1e-5)


def test_a_planted_map_is_where_it_is(well, answer):
    """On the page: purple in the middle of the right picture where the map speaks for the class, and nowhere else."""
    dark = Well(np.zeros((1, 60, 60), np.uint8) + 1, ("DNA",), (1.0, 1.0))
    values = np.zeros((60, 60), np.float32)
    values[20:40, 20:40] = 1
    planted = replace(answer, values=values, stains=("DNA",), channel_importance={"DNA": 1.0}, pixel_size=(1.0, 1.0))
    look = default_look(dark, planted)
    drawn = figure(dark, planted, replace(look, limits={"DNA": (1.0, 2.0)}))
    drawn.set_dpi(100)
    drawn.canvas.draw()
    page = np.asarray(drawn.canvas.buffer_rgba())[..., :3].astype(float)
    right = next(axes for axes in drawn.axes[1:] if axes.images).bbox
    column, row = (right.x0 + right.x1) / 2, page.shape[0] - (right.y0 + right.y1) / 2
    middle, corner = page[int(row), int(column)], page[int(row - 0.4 * right.height), int(column + 0.4 * right.width)]
    assert middle[2] > 150 > middle[1]
    assert corner.max() < 5


@pytest.mark.parametrize(
    ("most", "length"), [(9.99, 5), (10, 10), (19, 10), (20, 20), (0.3, 0.2), (92.2, 50), (1e4, 1e4), (0.05, 0.05)]
)
def test_the_scale_bar_is_round(most, length):
    assert round_length(most) == pytest.approx(length)


def test_the_scale_bar_is_as_long_as_it_says(well, answer):
    drawn = figure(well, replace(answer, pixel_size=(0.65, 0.65)))
    axes = drawn.axes[0]
    bar = next(patch for patch in axes.patches if patch.get_facecolor()[:3] == (1, 1, 1))
    assert bar.get_width() == pytest.approx(50 / (512 * 0.65))
    assert any(text.get_text() == "50 µm" for text in axes.texts)
    unknown = figure(well, replace(answer, pixel_size=None))
    assert not unknown.axes[0].patches
    assert not unknown.axes[0].texts


def test_pixels_that_are_not_square(well, answer):
    drawn = figure(well, replace(answer, pixel_size=(0.5, 1.0)))
    box = drawn.axes[0].bbox
    assert box.height / box.width == pytest.approx(0.5, rel=1e-3)


def test_the_caption_says_all(well, answer, of_a_cell):
    told = words.caption(well, answer, False)
    for said in ("B03_mito-fragmented", "Why mito fragmented: PCIM (fill: mean, steps: 2)", "phenotypes.pt calls it mito",
                 "probability 0.99", "the logit, 2.26", *answer.trust, "napari-attribution 0."):  # fmt: skip
        assert said in told
    of_cell = words.caption(well, of_a_cell, True)
    assert "around cell 3 (outlined; in the corner, the whole field)" in of_cell
    assert "Without cell 3, the well's logit" in of_cell
    assert "no scale bar" in words.caption(well, replace(answer, pixel_size=None), False)


def test_a_place_is_shown_large(well, of_a_cell, answer):
    small = figure(well, of_a_cell)
    assert small.axes[0].images[0].get_array().shape[0] < 200
    wide = Place(np.arange(512)[:, None] + np.zeros(512) < 400, "the upper part")
    assert figure(well, replace(answer, place=wide)).axes[0].images[0].get_array().shape[:2] == (512, 512)


def test_widths_are_those_of_matplotlib():
    from matplotlib.figure import Figure

    drawn = Figure(dpi=720)
    for words_there in ("Hello world, µm ± 3 %", "iiiiWWWW", "a very long line with words, and more words"):
        text = drawn.text(0, 0, words_there, fontsize=7, family="DejaVu Sans")
        seen = text.get_window_extent().width / 720 * 25.4
        assert width(words_there, 7) == pytest.approx(seen, rel=0.03)


def test_lines_are_no_wider_than_there_is_room():
    words_there = "one two " + "x" * 200 + " three"
    lines = wrapped(words_there, 7, 40)
    assert max(width(line, 7) for line in lines) <= 40
    assert "".join(lines).replace(" ", "") == words_there.replace(" ", "")
    assert width(shortened("x" * 200, 7, 30), 7) <= 30
    assert shortened("short", 7, 30) == "short"
