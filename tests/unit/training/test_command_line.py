"""napari-attribution train, and what check and explain say of the classifier that it writes."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from labelled_plates import CLASSES, STAINS, csv_of, plate_of_tiffs

from napari_attribution.cli import main

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


@pytest.mark.slow
def test_stopped_and_killed_the_same_command_goes_on_to_the_same(folder, labels, tmp_path, capsys):
    settings = ["--seeds", 3, *QUICK, "--set", "epochs=6", "--json"]
    assert main(asked(folder, labels, "--out", tmp_path / "whole", *settings)) == 0
    whole = json.loads(capsys.readouterr().out)

    command = asked(folder, labels, "--out", tmp_path / "stopped", *settings)
    for seed, how in ((0, signal.SIGINT), (1, signal.SIGKILL)):
        code, err = stopped(command, tmp_path / "stopped.training" / f"seed-{seed}" / "0-dcmix.checkpoint", how)
        assert not (tmp_path / "stopped.pt").exists()
        if how == signal.SIGINT:
            assert code == 130
            assert "What was done is kept in" in err
            assert "the same command goes on" in err

    assert main(command) == 0
    again = json.loads(capsys.readouterr().out)
    for name in ("importance", "accuracy", "shapley", "permutation", "warnings"):
        np.testing.assert_equal(again[name], whole[name])


def stopped(command, file, how):
    """Run a command in a process of its own until there is a file, then stop it; its exit code and what it said."""
    run = subprocess.Popen(
        [sys.executable, "-m", "napari_attribution.cli", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not file.exists() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(how)
    err = run.communicate(timeout=60)[1]
    return run.returncode, err
