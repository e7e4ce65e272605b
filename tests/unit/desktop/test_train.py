"""The dock "Train channel importance" without its window: labels, a training that is stopped and goes on, what becomes of it."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import labelled_plates
import numpy as np
import pytest
import tifffile
from labelled_plates import CLASSES, STAINS

from napari_attribution.desktop.channels import rows
from napari_attribution.desktop.channels.estimates import TRAINED, Estimates
from napari_attribution.desktop.channels.shown import Shown
from napari_attribution.desktop.channels.subject import Subject
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.mixed import Mixed
from napari_attribution.desktop.train import wanted as kept
from napari_attribution.desktop.train import words
from napari_attribution.desktop.train.course import Course
from napari_attribution.desktop.train.looking import likely_labels
from napari_attribution.desktop.train.training import Training
from napari_attribution.training.network.fitted import Epoch
from napari_attribution.training.network.moment import Moment
from napari_attribution.training.recipe import Recipe
from napari_attribution.training.train import train_dcmix
from napari_attribution.wells import read_plate

RECIPE = {"size": 32, "seeds": 2, "epochs": 2, "batch": 8, "least_steps": 4, "crop": 1.0, "compare": False}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Trainings are kept where the test can see them."""
    monkeypatch.setenv("NAPARI_ATTRIBUTION_SETTINGS", str(tmp_path / "settings" / "dock.json"))
    return tmp_path / "settings" / "trainings"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return labelled_plates.plate_of_tiffs(tmp_path_factory.mktemp("plate") / "made")


@pytest.fixture
def table(tmp_path):
    return labelled_plates.csv_of(tmp_path / "wells.csv", CLASSES.items(), "well,phenotype")


@pytest.fixture
def make(viewer, mail):
    """A controller and a training; another call is another session."""
    made = []

    def session():
        controller = Controller(viewer, mail)
        made.append(Training(controller, mail, lambda: None, lambda: None))
        return made[-1]

    yield session
    for training in made:
        training.close()
        training.controller.close()


@pytest.fixture
def training(make):
    return make()


def choose(training, mail, folder, table, **values):
    training.want(plate=str(folder), conditions=str(table), stains=",".join(STAINS), recipe=dict(RECIPE), **values)
    mail.deliver_until(lambda: not training.state.looking)
    return training.state


def finish(training, mail):
    mail.deliver_until(lambda: not training.state.running, 120)
    assert training.state.failure is None, training.state.failure
    return training.state.answer


def test_classes_and_counts_are_seen_before_anything_is_trained(training, mail, folder, table) -> None:
    assert "Choose a plate" in training.obstacle()
    training.want(plate=str(folder))
    mail.deliver_until(lambda: not training.state.looking)
    assert "Nobody said what the wells are" in training.obstacle()
    state = choose(training, mail, folder, table)
    assert state.wanted.labels == "phenotype"
    assert training.obstacle() == ""
    assert state.stains == STAINS
    assert words.counts(state.counts).splitlines()[:2] == ["control: 12 wells, 12 fields", "hit: 12 wells, 12 fields"]


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([(well, "hit") for well in CLASSES], "one class"),
        ([*CLASSES.items(), ("A01", "other")], "A01 twice"),
        ([*CLASSES.items(), ("A-x", "hit")], "no place on a plate"),
        ([(well, "rare" if well == "A01" else "hit") for well in CLASSES], "rare"),
    ],
)
def test_labels_that_will_not_do_are_refused_in_words(training, mail, folder, tmp_path, classes, said) -> None:
    table = labelled_plates.csv_of(tmp_path / "bad.csv", classes, "well,phenotype")
    state = choose(training, mail, folder, table)
    assert said in state.failure.sentence
    assert not state.failure.details, "a sentence, and no report of a fault"
    assert training.obstacle()
    training.run()
    assert not state.running
    choose(training, mail, folder, labelled_plates.csv_of(tmp_path / "good.csv", CLASSES.items(), "well,phenotype"))
    assert training.obstacle() == ""


def test_labels_that_go_with_the_row_are_warned_of(training, mail, folder, tmp_path) -> None:
    rowwise = [(well, "hit" if well[0] in "AB" else "control") for well in CLASSES]
    state = choose(training, mail, folder, labelled_plates.csv_of(tmp_path / "rows.csv", rowwise, "well,phenotype"))
    assert any("row" in warning for warning in state.counts.warnings)


def test_a_training_is_stopped_goes_on_after_a_restart_and_says_the_same(make, mail, folder, table, home) -> None:
    first = make()
    state = choose(first, mail, folder, table)
    first.run()
    mail.deliver_until(lambda: (0, "dcmix") in state.course.curves, 180)
    first.cancel()
    mail.deliver_all()
    assert not state.running
    assert state.begun
    assert "can go on" in state.said
    assert state.answer is None

    again = make()
    assert again.state.earlier == state.wanted
    again.go_on_with_earlier()
    mail.deliver_until(lambda: not again.state.looking)
    assert again.state.begun
    again.run()
    found = finish(again, mail)
    plate = read_plate(folder, stains=STAINS, conditions=table)
    never_stopped = train_dcmix(plate, "phenotype", recipe=Recipe(**RECIPE), device="cpu")
    np.testing.assert_array_equal(found.importances, never_stopped.importances)
    assert {seed for seed, _ in again.state.course.curves} == {0, 1}
    assert all(len(curve.epochs) == 2 for curve in again.state.course.curves.values())

    out = home.parent / "out" / "mine"
    again.save(out)
    mail.deliver_until(lambda: not again.state.keeping)
    assert again.state.failure is None, again.state.failure
    assert again.state.saved == out.with_name("mine.pt")
    assert {file.name for file in out.parent.iterdir()} >= {"mine.pt", "mine.pt2", "mine.training.json"}
    assert kept.unfinished() is None, "what is saved is not offered"

    again.explain()
    own = again.controller.state
    mail.deliver_until(lambda: own.checked is not None or own.classifier_error is not None, 60)
    assert own.classifier_error is None, own.classifier_error
    assert own.path == again.state.saved
    assert own.well.stains == STAINS
    best = found.importances[found.best]
    assert own.mixed.importance == pytest.approx(tuple(best), abs=1e-6)
    assert own.mixed.spread == pytest.approx(tuple(found.spread))
    assert own.mixed.seeds == 2


def test_to_begin_anew_forgets_what_was_done(training, mail, folder, table) -> None:
    state = choose(training, mail, folder, table)
    state.wanted.recipe = {**RECIPE, "seeds": 1}
    training.run()
    first = finish(training, mail)
    marked = kept.folder_of(state.wanted) / "mark"
    marked.write_text("of the first")
    training.run()
    assert np.array_equal(finish(training, mail).importances, first.importances)
    assert marked.is_file()
    training.run(anew=True)
    assert np.array_equal(finish(training, mail).importances, first.importances)
    assert not marked.is_file()


def test_more_seeds_go_on_with_what_is_trained_also_once_it_is_saved(training, mail, folder, table, home) -> None:
    state = choose(training, mail, folder, table)
    training.want(recipe={**RECIPE, "seeds": 1})
    mail.deliver_until(lambda: not state.looking)
    training.run()
    first = finish(training, mail)
    assert state.again
    training.save(home.parent / "out" / "one")
    mail.deliver_until(lambda: not state.keeping)
    training.want(recipe={**RECIPE, "seeds": 2})
    mail.deliver_until(lambda: not state.looking)
    assert state.begun
    assert not state.again
    training.run()
    mail.deliver_until(lambda: state.course.phase == "training", 180)
    second = finish(training, mail)
    assert list(state.course.importances) == [1], "the first seed was not trained again"
    np.testing.assert_array_equal(second.importances[:1], first.importances)
    assert len(list(home.iterdir())) == 1

    # What was saved is let go of once another training is begun.
    training.save(home.parent / "out" / "two")
    mail.deliver_until(lambda: not state.keeping)
    assert kept.unfinished() is None
    assert kept.begun(state.wanted)
    other = kept.begin(kept.Wanted("another plate"))
    assert [one.name for one in home.iterdir()] == [other.name]


def test_which_networks_are_wanted_is_not_what_a_training_is_of(table) -> None:
    wanted = kept.Wanted("plate", conditions=str(table), labels="phenotype", recipe={"epochs": 5})
    for recipe in ({"epochs": 5, "seeds": 9}, {"epochs": 5, "compare": False}, {"epochs": 5, "first_seed": 2}):
        assert kept.folder_of(replace(wanted, recipe=recipe)) == kept.folder_of(wanted)
    assert kept.folder_of(replace(wanted, recipe={"epochs": 6})) != kept.folder_of(wanted)
    assert kept.folder_of(replace(wanted, more=("other",))) != kept.folder_of(wanted)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Plates p, q and r."""
    home = tmp_path_factory.mktemp("plates")
    return [str(labelled_plates.plate_of_tiffs(home / name)) for name in "pqr"]


def want_three(training, mail, three, table, **recipe):
    training.want(
        plate=three[0],
        more=tuple(three[1:]),
        conditions=str(table),
        stains=",".join(STAINS),
        recipe={**RECIPE, **recipe},
    )
    mail.deliver_until(lambda: not training.state.looking)
    return training.state


def test_several_plates_are_counted_together_and_can_be_parted_as_a_whole(make, mail, three, table) -> None:
    training = make()
    state = want_three(training, mail, three, table, split_by="plate", seeds=1, epochs=1)
    assert training.obstacle() == ""
    lines = state.preview.splitlines()
    assert lines[0] == "p - file names (ImageXpress): 24 of 24 wells, 24 fields; stains DNA, GFP, Mito."
    assert [line[:3] for line in lines] == ["p -", "q -", "r -", "Kno"]
    assert words.counts(state.counts).splitlines() == [
        "control: 36 wells, 36 fields",
        "hit: 36 wells, 36 fields",
        "On 3 plates: p, q, r.",
    ]
    training.run()
    answer = finish(training, mail)
    parts = answer.record["splits"]["0"].values()
    assert sorted(well.split("/")[0] for well in {side[0] for side in parts}) == ["p", "q", "r"]
    assert all(len({well.split("/")[0] for well in side}) == 1 for side in parts)
    twin = train_dcmix(
        [read_plate(path, stains=STAINS) for path in three],
        table,
        recipe=Recipe(**state.wanted.recipe),
        column="phenotype",
        device="cpu",
    )
    np.testing.assert_array_equal(answer.importances, twin.importances)
    assert answer.record["labels"] == twin.record["labels"]
    # The list is shortened again; where the first is taken out, the next is the first.
    training.want(plate="")
    assert (state.wanted.plate, state.wanted.more) == (three[1], (three[2],))
    mail.deliver_until(lambda: not state.looking)
    assert "2 plates cannot be parted in three" in state.failure.sentence
    training.want(more=())
    mail.deliver_until(lambda: not state.looking)
    assert state.preview.startswith("file names (ImageXpress): 24 of 24 wells")

    another = make()
    assert another.state.earlier.more == tuple(three[1:])
    another.go_on_with_earlier()
    mail.deliver_until(lambda: not another.state.looking)
    assert another.state.begun


def test_one_table_of_all_plates(training, mail, three, tmp_path) -> None:
    rows = [(plate, well, label if plate != "r" else "") for plate in "pqr" for well, label in CLASSES.items()]
    table = labelled_plates.csv_of(tmp_path / "all.csv", rows, "plate,well,phenotype")
    state = want_three(training, mail, three, table)
    assert state.columns == ("phenotype",)
    assert words.counts(state.counts).splitlines()[:3] == [
        "control: 24 wells, 24 fields",
        "hit: 24 wells, 24 fields",
        "On 2 plates: p, q.",
    ]
    assert "24 wells without a label: left out." in state.counts.notes
    wrong = labelled_plates.csv_of(
        tmp_path / "wrong.csv", [(f"plate {p}", well, label) for p, well, label in rows], "plate,well,phenotype"
    )
    want_three(training, mail, three, wrong)
    assert state.failure.sentence.endswith(
        "but the plates that were given are called p, q, r. Write these names in the column plate."
    )
    rows.append(("p", "A01", "something else"))
    twice = labelled_plates.csv_of(tmp_path / "twice.csv", rows, "plate,well,phenotype")
    want_three(training, mail, three, twice)
    assert state.failure.sentence == (
        "Row 74 of twice.csv calls the well p/A01 'something else', but row 2 of twice.csv calls it 'hit'. Keep one label a well."
    )


def test_what_is_wrong_with_several_plates_is_said(training, mail, three, tmp_path) -> None:
    state = want_three(training, mail, three, "")
    assert "with a column well, one for the class, and one named plate where the plates differ" in training.obstacle()
    training.want(more=(three[0],))
    mail.deliver_until(lambda: not state.looking)
    assert f"The plate {three[0]} was given twice" in state.failure.sentence
    assert training.obstacle() == state.failure.sentence
    training.want(more=(str(tmp_path / "gone"),))
    mail.deliver_until(lambda: not state.looking)
    assert f"There is no plate {tmp_path / 'gone'}" in state.failure.sentence


def harmony_of(folder: Path, columns: str, tail: str) -> str:
    """A Harmony export whose layout says what the wells are."""
    images = []
    (folder / "Images").mkdir(parents=True)
    for well, label in CLASSES.items():
        row, column = "ABCD".index(well[0]) + 1, int(well[1:])
        for channel, plane in enumerate(labelled_plates.field_pixels(well, 1, label), start=1):
            name = f"r{row:02d}c{column:02d}f01p01-ch{channel}sk1fk1fl1.tiff"
            tifffile.imwrite(folder / "Images" / name, plane)
            images.append(
                f"<Image><id>x</id><URL>{name}</URL><Row>{row}</Row><Col>{column}</Col><FieldID>1</FieldID><PlaneID>1</PlaneID>"
                f"<ChannelID>{channel}</ChannelID><ChannelName>{STAINS[channel - 1]}</ChannelName></Image>"
            )
    (folder / "Images" / "Index.idx.xml").write_text(
        f"<EvaluationInputData xmlns='http://www.perkinelmer.com/PEHH/HarmonyV5'><Plates><Plate><PlateID>{folder.name}</PlateID>"
        f"<PlateRows>4</PlateRows><PlateColumns>6</PlateColumns></Plate></Plates><Images>{''.join(images)}</Images>"
        "</EvaluationInputData>"
    )
    labelled_plates.csv_of(folder / "Layout.csv", [(well, label, tail) for well, label in CLASSES.items()], columns)
    return str(folder)


def test_a_condition_that_all_plates_have_may_be_the_class(training, mail, tmp_path) -> None:
    one = harmony_of(tmp_path / "one", "well,phenotype,batch", "b")
    two = harmony_of(tmp_path / "two", "well,phenotype,dose", "2")
    state = training.state
    training.want(plate=one, more=(two,), recipe=dict(RECIPE))
    mail.deliver_until(lambda: not state.looking)
    assert training.obstacle() == ""
    assert (state.columns, state.wanted.labels) == (("phenotype",), "phenotype")
    assert "! The conditions are those of Layout.csv." in state.preview.splitlines()
    assert words.counts(state.counts).splitlines() == [
        "control: 24 wells, 24 fields",
        "hit: 24 wells, 24 fields",
        "On 2 plates: one, two.",
    ]
    assert state.counts.source == "the condition phenotype of the plates"


def test_one_table_for_all_plates(training, mail, tmp_path) -> None:
    plate = Path("sample_data/plate.zarr").absolute()
    copy = tmp_path / "copy.zarr"
    copy.symlink_to(plate)
    table = "sample_data/plate.conditions.csv"
    training.want(plate=str(plate), more=(str(copy),), conditions=table, recipe=dict(RECIPE))
    mail.deliver_until(lambda: not training.state.looking)
    assert training.state.columns[0] == "treatment"
    assert words.counts(training.state.counts).splitlines()[0] == "compound: 24 wells, 32 fields"


def test_a_folder_of_single_wells_will_do_for_a_plate(training, mail, table, tmp_path) -> None:
    folder = tmp_path / "wells"
    folder.mkdir()
    for well, label in CLASSES.items():
        pixels = labelled_plates.field_pixels(well, 1, label)
        axes = {"axes": "CYX", "Channel": {"Name": list(STAINS)}}
        tifffile.imwrite(folder / f"{label} {well}.ome.tif", pixels, photometric="minisblack", metadata=axes)
    training.want(plate=str(folder), conditions=str(table), recipe=dict(RECIPE))
    mail.deliver_until(lambda: not training.state.looking)
    assert training.obstacle() == ""
    assert training.state.stains == STAINS
    assert words.counts(training.state.counts).splitlines() == [
        "control: 12 wells, 12 fields",
        "hit: 12 wells, 12 fields",
    ]
    for number, file in enumerate(folder.iterdir()):
        file.rename(folder / f"image {number}.ome.tif")
    training.want(plate=str(folder))
    mail.deliver_until(lambda: not training.state.looking)
    assert "do not say which well each is of" in training.state.failure.sentence
    assert "Name them by their wells, such as B02.tif; or describe the names with a pattern" in training.obstacle()


def test_another_table_of_the_same_name_is_another_training(table) -> None:
    wanted = kept.Wanted("plate", conditions=str(table), labels="phenotype")
    before = kept.folder_of(wanted)
    assert kept.folder_of(replace(wanted)) == before
    labelled_plates.csv_of(table, [("A01", "hit")], "well,phenotype")
    assert kept.folder_of(wanted) != before


@pytest.mark.parametrize("text", ["", "[]", '{"plate": "x", "nonsense": 1}', '{"plate": "x", "recipe": {"seeds": -1}}'])
def test_a_damaged_note_of_a_training_is_passed_over(home, text) -> None:
    (home / "damaged").mkdir(parents=True)
    (home / "damaged" / kept.ASKED).write_text(text)
    assert kept.unfinished() is None
    for number in range(kept.MOST + 2):
        kept.begin(kept.Wanted("plate", labels=f"drug {number}"))
    assert len(list(home.iterdir())) == kept.MOST
    kept.begin(kept.Wanted("plate", labels="drug"))
    assert kept.unfinished().labels == "drug"
    assert json.loads((kept.folder_of(kept.unfinished()) / kept.ASKED).read_text())["labels"] == "drug"


def test_the_likely_class_is_a_condition_of_a_few_values() -> None:
    assert likely_labels({"seed": 20, "drug": 2, "note": 0}) == "drug"
    assert likely_labels({"seed": 20}) == "seed"
    assert likely_labels({}) == ""


def test_moments_become_curves_bars_and_a_sentence() -> None:
    course = Course()
    assert words.told(course, 0.0, 1, 0) == "Getting ready ..."
    course.add(Moment("reading", 5, 40), 10.0)
    course.add(Moment("reading", 20, 40), 13.0)
    assert words.told(course, 13.0, 1, 0) == "Reading: 20 of 40 fields. 4 s left."
    course.add(Moment("training", 0, 60, "dcmix", 7, 0), 20.0)
    for epoch in (1, 2):
        told = Moment("training", epoch, 60, "dcmix", 7, epoch, 0.5 / epoch, 0.6 / epoch, 0.75, (0.1 * epoch, 0.9))
        course.add(told, 20.0 + epoch)
        course.add(told, 20.5 + epoch)
    assert course.of_seed()["dcmix"].epochs == [1, 2]
    assert course.of_seed()["dcmix"].validation == [0.6, 0.3]
    assert [row.share for row in words.live_rows(("DNA", "GFP"), course)] == [0.2, 0.9]
    assert words.live_rows(("DNA",), course) == ()
    said = words.told(course, 22.0, 3, 7)
    assert said == "DCMIX, seed 1 of 3, epoch 2; right on 75 % of the validation fields. At most 60 s left."
    course.add(Moment("training", 3, 60, "GFP", 8, 1, 0.5, 0.6, 1.0), 23.0)
    assert list(course.of_seed()) == ["GFP"]
    assert course.importance == (0.2, 0.9), "the last that were told"


def test_the_curves_of_an_answer_are_those_of_the_seeds_that_are_in_it() -> None:
    course = Course()
    for epoch in (1, 2):
        course.add(Moment("training", epoch, 60, "dcmix", 4, epoch, 0.5, 0.6, 0.75, (0.3, 0.7)), 20.0 + epoch)
    # The network of seed 5 came to nothing: the bars are still those of the seed before.
    course.add(Moment("training", 20, 60, "dcmix", 5, 0), 23.0)
    assert [row.share for row in words.live_rows(("DNA", "GFP"), course)] == [0.3, 0.7]
    assert not any(curve.epochs for curve in course.of_seed().values())
    epochs = {seed: (Epoch(0.1 * seed, 0.2 * seed, 1.0),) for seed in (4, 6)}
    course.recall(
        SimpleNamespace(seeds=(4, 6), best=1, histories={"dcmix": tuple(epochs.values()), "GFP": (epochs[4], ())})
    )
    assert list(course.curves) == [(4, "dcmix"), (6, "dcmix"), (4, "GFP"), (6, "GFP")]
    assert course.of_seed()["dcmix"].training == [pytest.approx(0.6)]


def answered(**changes):
    told = {
        "card": SimpleNamespace(stains=("DNA", "GFP", "Mito")),
        "importances": np.array([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1]]),
        "importance": np.array([0.15, 0.75, 0.1]),
        "spread": np.array([0.07, 0.07, 0.0]),
        "accuracy": {"dcmix": np.array([0.9, 1.0]), "all stains": np.array([1.0, 1.0]), "GFP": np.array([0.8, np.nan])},
        "held_out": (6, 6),
        "chance": 0.5,
        "shapley": np.array([-1.0, 4.0, -0.001]),
        "permutation": np.array([0.0, np.nan, 1.0]),
    }
    return SimpleNamespace(**(told | changes))


def test_the_answer_in_words_and_as_a_table() -> None:
    answer = answered()
    assert [row.stain for row in words.rows(answer)] == ["GFP", "DNA", "Mito"]
    assert words.headline(answer) == "GFP matters most (75 % ± 7)."
    assert words.accuracies(answer) == (
        "Right on 6 wells held out (mean ± standard deviation of 2 seeds): DCMIX 95 % ± 7, all stains 100 % ± 0, by chance 50 %."
    )
    assert words.beside(answer)["GFP"] == ("80 %", "80 %", "–")
    assert words.beside(answer)["DNA"] == ("–", "−20 %", "0 %")
    assert words.beside(answer)["Mito"][1] == "0 %"
    lines = [line.split("\t") for line in words.table(answer).splitlines()]
    assert {len(line) for line in lines} == {6}
    assert lines[2] == ["GFP", "0.75", "0.07", "0.8", "4", ""]
    single = answered(importances=np.array([[0.1, 0.8, 0.1]]), spread=np.full(3, np.nan))
    assert words.headline(single) == "GFP matters most (75 %)."


def test_trained_weights_are_seen_at_once_and_give_way_to_an_answer(viewer, mail, answers) -> None:
    controller = Controller(viewer, mail)
    estimates = Estimates(controller, lambda: None)
    shown = Shown(controller, estimates, Subject(controller))
    state = controller.state
    estimates.follow()
    assert shown.trained is None
    state.mixed = Mixed(("Hoechst", "GFP"), (0.18, 0.82), (0.02, 0.02), 3)
    state.stain_map = {"Hoechst": "DNA", "GFP": None}
    estimates.follow()
    assert estimates.chosen == TRAINED
    assert [(row.stain, row.figure) for row in shown.rows] == [("GFP", "82 % ± 2"), ("DNA", "18 % ± 2")]
    assert set(shown.colors) == {"DNA", "GFP"}
    assert shown.table.splitlines()[1].split("\t")[:2] == ["GFP", "0.82"]
    assert state.mixed.told == "This classifier has a DCMIX layer: GFP 82 %, Hoechst 18 %."
    state.answer = answers()
    estimates.follow()
    assert shown.trained is None
    assert {row.stain for row in shown.rows} == {"DNA", "ER", "Mito"}
    estimates.choose(TRAINED)
    assert shown.rows[0].stain == "GFP"
    estimates.compute()
    assert not estimates.computing, "there is nothing to compute"
    state.mixed = None
    estimates.follow()
    assert estimates.chosen == ""
    assert rows.TRAINED not in shown.table
    controller.close()
