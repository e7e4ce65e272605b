"""The report, and what it is made of: columns in words, scales, ranks, thumbnails."""

import base64
import io
import re

import made_results
import numpy as np
import pytest
import small_screens
from networks import STAINS

from napari_attribution.cli.main import main
from napari_attribution.errors import RequestError
from napari_attribution.screens.report import write_report
from napari_attribution.screens.report.columns import number, title, unit
from napari_attribution.screens.report.scale import CATEGORIES, Scale, scale_of
from napari_attribution.screens.report.thumbnails import Light, Sight, mosaic, picture, small
from napari_attribution.screens.report.wells import Wells
from napari_attribution.screens.results import open_results
from napari_attribution.screens.results.notes import write_notes
from napari_attribution.screens.run.screen import run_screen
from napari_attribution.wells import Well


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    """Results of a real run: 4 wells of 2 fields, one of which is no TIFF."""
    folder = tmp_path_factory.mktemp("screened")
    plate = small_screens.make_plate(folder / "plate", wells=4)
    (folder / "plate" / "A03-2.ome.tiff").write_bytes(b"no image")
    return run_screen(plate, small_screens.make_classifier(folder), folder / "results", time_limit=None)


def made(tmp_path, **changes):
    layout = changes.pop("layout", (2, 3))
    table = made_results.make_table(layout, **changes)
    return open_results(made_results.write_results(tmp_path / "made", table, layout))


def test_columns_in_words() -> None:
    assert title("importance.pcim.Mito", ["pcim"]) == "importance of Mito"
    assert title("importance.pcim.Mito", ["pcim", "dcmix"]) == "importance of Mito (PCIM)"
    assert title("quality.focus.DNA 1.5x") == "sharpness of DNA 1.5x"
    named = ("importance.pcim.Mito", "map.pcim.edge", "map.pcim.agreement", "margin", "seconds", "condition.dose")
    assert [unit(column) for column in named] == ["share", "share", "", "logit", "s", ""]
    assert number(-0.34, "importance.pcim.Mito") == "−34 %"
    assert number(float("nan")) == "no value"
    assert number(0.034, "map.pcim.edge") == "3.4 %"


def test_numbers_are_coloured_between_percentiles_as_one_by_one() -> None:
    from matplotlib import colormaps

    values = np.random.default_rng(0).normal(size=200)
    values[[3, 50]] = np.nan, 1000.0
    scale = scale_of(values)
    assert scale.limits[1] < 10, "one odd well does not take all colours"
    colours = scale.colours(values)
    low, high = scale.limits
    for at, value in enumerate(values):
        if np.isnan(value):
            assert colours[at, 3] == 0
            continue
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        expected = np.array(colormaps["viridis"](int(255 * share + 0.5))) * 255
        assert np.abs(colours[at] - expected).max() <= 1


def test_categories_have_colours_of_their_own_until_there_are_too_many() -> None:
    scale = scale_of(["hit", "control", "", "hit"], order=("control", "hit"))
    assert scale.categories == ("control", "hit")
    assert scale.colours(["hit", ""])[:, 3].tolist() == [255, 0]
    many = scale_of([f"drug {n:02}" for n in range(20)])
    assert many.merged == 13
    assert len({many.colour(name) for name in many.categories}) == len(CATEGORIES)
    assert Scale().merged == 0


@pytest.mark.parametrize("values", [[np.nan, np.nan], [1.0, 1.0], []])
def test_a_column_without_numbers_or_differences_has_a_scale(values) -> None:
    low, high = scale_of(values).limits
    assert high > low
    assert scale_of(values).colours(values).shape == (len(values), 4)


def test_ranks_are_highest_first_and_wells_without_a_value_come_last(tmp_path) -> None:
    table = made_results.fail(made_results.make_table((2, 3)), "A02", "no TIFF")
    wells = Wells.of(open_results(made_results.write_results(tmp_path, table)))
    order = [wells.positions[at] for at in wells.order("importance.pcim.Mito")]
    assert order == ["B03", "B02", "B01", "A03", "A01", "A02"]
    assert [wells.positions[at] for at in wells.order("importance.pcim.Mito", descending=False)][-1] == "A02"
    assert wells.failed.tolist() == [False, True, False, False, False, False]
    assert [wells.positions[at] for at in wells.order("predicted")][-1] == "A02"


def test_the_stains_of_a_method_share_a_scale(tmp_path) -> None:
    wells = Wells.of(made(tmp_path))
    scales = {wells.scale(f"importance.pcim.{stain}").limits for stain in made_results.STAINS}
    assert len(scales) == 1
    assert wells.scale("margin").limits not in scales


def test_a_well_is_told_in_words(tmp_path) -> None:
    wells = Wells.of(made(tmp_path))
    told = wells.told("A01", "margin", {"A01": {"note": "", "excluded": "a hair"}})
    for part in ("A01", "DMSO", "dose 0", "margin of the prediction: 2", "map at the edge", "left out: a hair"):
        assert part in told
    assert "no image" in wells.told("H12", "margin", {})


def test_thumbnails_average_blocks_and_share_their_limits() -> None:
    drawn = np.random.default_rng(0)
    wells = [Well(drawn.integers(0, top, (2, 30, 50)).astype(np.uint16), ("DNA", "Mito")) for top in (1000, 3000)]
    sights = [small(Sight("x", well, drawn.normal(size=(30, 50)).astype(np.float32)), 20) for well in wells]
    assert sights[0].well.shape == (10, 16)
    assert sights[0].well.pixels[1, 2, 3] == pytest.approx(wells[0].pixels[1, 6:9, 9:12].mean())
    light = Light.over(sights)
    first, second = (picture(one, light, with_map=False) for one in sights)
    assert second.mean() > 1.5 * first.mean(), "the brighter well looks brighter"
    assert (picture(sights[0], light) != first).any(), "the map is to be seen"
    assert picture(Sight("nothing"), light) is None
    assert mosaic([first, None, second], 2, 20, 2, 10).shape == (2 * 32 - 2, 2 * 22 - 2, 3)


def test_the_report_of_a_run_stands_by_itself(screened) -> None:
    write_notes(
        screened.path, {"A02": {"note": "<b>bubble</b>", "excluded": None}, "A04": {"note": "", "excluded": "hair"}}
    )
    steps = []
    path = write_report(screened, each=2, progress=lambda done, total: steps.append((done, total)))
    page = path.read_text("utf-8")
    assert steps[-1][0] == steps[-1][1]
    for source in re.findall(r'src="([^"]*)"', page):
        assert source.startswith("data:image/")
    assert not re.search(r"(?i)<script|<link|@import|url\(|https?://", page)
    assert "&lt;b&gt;bubble" in page
    assert "<b>bubble" not in page
    for words in (
        "A04",
        "hair",
        *STAINS,
        "gap.pt",
        "Pixel Ablation-CAM",
        "8 fields",
        "could not be explained",
        "no image",
    ):
        assert words in page, words
    # The pictures of wells: each with and without its map.
    assert page.count("data:image/jpeg") >= 8
    for png in re.findall(r"data:image/png;base64,([^\"]*)", page):
        assert base64.b64decode(png)[:4] == b"\x89PNG"


def test_the_plate_in_the_report_has_the_colours_of_the_values(tmp_path) -> None:
    from matplotlib.image import imread

    from napari_attribution.screens.report.charts import plate_chart

    wells = Wells.of(made(tmp_path, layout=(4, 6), missing=("B02",)))
    drawn = imread(io.BytesIO(plate_chart(wells, "predicted", {"A03"})))
    for name in made_results.CLASSES:
        color = np.array([int(wells.scale("predicted").colour(name)[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        share = (np.abs(drawn[..., :3] - color).max(axis=2) < 0.02).mean()
        assert share > 0.15, name


def test_without_images_and_maps_the_report_is_written_and_says_so(tmp_path, capsys) -> None:
    results = made(tmp_path)
    assert main(["report", str(results.path), "--by", "importance.pcim.Mito", "--out", str(tmp_path / "r.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "60 % of the map of A01 lies at the edge." in page
    assert "could be read again" in page
    with pytest.raises(RequestError, match="no column"):
        write_report(results, column="nonsense")


def test_a_folder_without_results_is_refused(tmp_path, capsys) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "no results" in capsys.readouterr().err
