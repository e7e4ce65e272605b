"""napari-attribution train, and what check and explain say of the classifier that it writes."""

import json
import signal

import numpy as np
import pytest
from labelled_plates import CLASSES, STAINS, csv_of, plate_of_tiffs

from napari_attribution.cli import main, train

QUICK = [
    "--set",
    "size=32",
    "--set",
    "epochs=2",
    "--set",
    "least_steps=3",
    "--set",
    "batch=8",
    "--set",
    "compare=false",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return plate_of_tiffs(tmp_path_factory.mktemp("plates") / "plate")


@pytest.fixture
def labels(tmp_path):
    return csv_of(tmp_path / "labels.csv", CLASSES.items())


def asked(folder, labels, *more):
    return [
        "train",
        str(folder),
        "--labels",
        str(labels),
        "--stains",
        ",".join(STAINS),
        "--device",
        "cpu",
        *map(str, more),
    ]


def test_preview(folder, labels, capsys):
    assert main(asked(folder, labels, "--preview")) == 0
    out = capsys.readouterr().out
    assert "class     control: 12 wells, 12 fields\nclass     hit: 12 wells, 12 fields" in out
    assert "labels    the column label of labels.csv" in out
    assert main(asked(folder, labels, "--preview", "--json", "--use", "GFP,DNA")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["wells"], told["stains"]) == ({"control": 12, "hit": 12}, ["GFP", "DNA"])


def test_the_answer_as_a_table_and_the_classifier(folder, labels, tmp_path, capsys):
    out = tmp_path / "made" / "gfp"
    assert main(asked(folder, labels, "--out", out, "--seeds", 1, *QUICK)) == 0
    said = capsys.readouterr()
    assert "reading   24 of 24" in said.err
    assert "seed 0    dcmix, epoch 2: loss" in said.err
    rows = said.out.splitlines()
    assert rows[0].split() == ["stain", "importance", "spread", "alone", "Shapley", "permuted"]
    assert {row.split()[0] for row in rows[1:4]} == set(STAINS)
    assert "accuracy  dcmix: " in said.out
    assert "warning   Only one seed was trained" in said.out
    assert out.with_suffix(".pt").is_file()

    assert main(asked(folder, labels, "--out", out, *QUICK)) == 2
    assert "gfp.pt is there already" in capsys.readouterr().err

    assert main(["check", str(out.with_suffix(".pt2")), "--device", "cpu"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  mixing")]
    assert all(stain in line for stain in STAINS)
    question = ["explain", str(folder / "made_A01_s1_w1.tif"), "--stains", ",".join(STAINS), "--no-faithfulness"]
    question += ["--classifier", str(out.with_suffix(".pt")), "--device", "cpu", "--out", str(tmp_path)]
    assert main([*question, "--json"]) == 0
    mixing = json.loads(capsys.readouterr().out)["mixing"]
    assert tuple(mixing) == STAINS
    assert abs(sum(mixing.values()) - 1) < 1e-6
    assert main(question) == 0
    assert "\nmixing  " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ([], "--out is needed"),
        (["--out", "x", "--set", "colour=red"], "A recipe has no 'colour'. It has backbone, mixers"),
        (["--out", "x", "--set", "epochs=0"], "epochs cannot be 0"),
        (["--out", "x", "--set", "epochs"], "--set takes NAME=VALUE"),
        (["--out", "x", "--column", "dose"], "labels.csv has no column 'dose'"),
        (["--out", "x", "--use", "GFP,ER"], "There is no stain ER"),
        (["--out", "x", "--device", "cuda:77"], "no device 'cuda:77'"),
        (["--out", "x", "--set", "split_by=plate"], "1 plate cannot be parted in three"),
    ],
)
def test_wrong_input_ends_with_a_sentence(folder, labels, tmp_path, monkeypatch, capsys, more, sentence):
    monkeypatch.chdir(tmp_path)
    command = asked(folder, labels)
    command = command[:-2] if "--device" in more else command
    assert main([*command, *more]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "Traceback" not in err
    assert not (tmp_path / "x.pt").exists()


@pytest.mark.parametrize("out", ["", ".", "..", "/", "made", "new/", ".pt"])
def test_a_folder_is_no_name_for_a_classifier(folder, labels, tmp_path, monkeypatch, capsys, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    assert main(asked(folder, labels, "--out", out)) == 2
    assert f"--out {out!r} is a folder, or no name. Give the name of a file, such as " in capsys.readouterr().err


def test_nothing_that_would_be_written_is_there_already(folder, labels, tmp_path, trained, capsys):
    trained.save(tmp_path / "full" / "gfp")
    written = sorted(file.name for file in (tmp_path / "full").iterdir())
    assert len(written) == 6
    for name in written:
        (tmp_path / name).write_text("mine")
        assert main(asked(folder, labels, "--out", tmp_path / "gfp.pt")) == 2
        err = capsys.readouterr().err
        assert f"{name} is there already" in err
        assert "--folder" not in err
        (tmp_path / name).unlink()
    (tmp_path / "full" / "gfp.training").mkdir()
    assert main(asked(folder, labels, "--out", tmp_path / "full" / "gfp")) == 2
    assert f"With --folder {tmp_path / 'full' / 'gfp.training'}, what was trained" in capsys.readouterr().err


def test_the_same_plate_twice_and_plates_by_their_names(folder, labels, tmp_path, capsys):
    command = asked(folder, labels, "--preview")
    assert main([command[0], str(folder), *command[1:]]) == 2
    assert f"The plate {folder} was given twice" in capsys.readouterr().err
    other = plate_of_tiffs(tmp_path / "other")
    assert main([command[0], str(other), *command[1:]]) == 0
    out = capsys.readouterr().out
    assert "plates    other, plate\n" in out
    assert "class     hit: 24 wells, 24 fields" in out


def test_stopped_with_control_c_the_same_command_goes_on_to_the_same(folder, labels, tmp_path, capsys, monkeypatch):
    settings = ["--seeds", 2, *QUICK, "--json"]
    assert main(asked(folder, labels, "--out", tmp_path / "whole", *settings)) == 0
    whole = json.loads(capsys.readouterr().out)

    class Interrupted(train.Progress):
        def __call__(self, moment):
            super().__call__(moment)
            if (moment.seed, moment.epoch) == (1, 1):
                signal.raise_signal(signal.SIGINT)

    command = asked(folder, labels, "--out", tmp_path / "stopped", *settings)
    # Whoever starts the tests in the background has Control-C ignored there.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(train, "Progress", Interrupted)
            assert main(command) == 130
    finally:
        signal.signal(signal.SIGINT, former)
    said = capsys.readouterr()
    assert said.err.endswith(
        f"stopped. What was done is kept in {tmp_path / 'stopped.training'}; the same command goes on.\n"
    )
    assert said.out == ""
    assert not (tmp_path / "stopped.pt").exists()

    assert main(command) == 0
    said = capsys.readouterr()
    assert "seed 0 " not in said.err  # that network was trained before
    again = json.loads(said.out)
    for name in ("importance", "accuracy", "shapley", "permutation", "warnings"):
        np.testing.assert_equal(again[name], whole[name])
