"""Files that loop, swell or crash do so in a process of their own, and end in a sentence."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import load_classifier
from napari_attribution.classifiers.files.trial.trial import Trial
from napari_attribution.errors import Cancelled, ClassifierError, DeviceError, TrialError

from .conftest import Loops, saved

needs_signals = pytest.mark.skipif(os.name != "posix", reason="processes end by signals on POSIX only")


class LoopsForSome(nn.Module):
    """Only for certain data."""

    def forward(self, x: Tensor) -> Tensor:
        while bool(x[0, 0, 0, 0] == 12345.0):
            x = x.clone()
        return x.mean(dim=(2, 3))


class LoopsAtLoad(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.n = 1
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> int:
        return self.n

    @torch.jit.export
    def __setstate__(self, n: int) -> None:
        while n > 0:
            n = 1
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class TakesAllMemory(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)) + torch.zeros(1_000_000_000_000).sum()


class Chatters(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        print("the network speaks")
        return x.mean(dim=(2, 3))


@pytest.fixture(scope="module")
def shared():
    with Trial() as made:
        yield made


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_good_file_passes_and_answers(shared, tmp_path):
    path = saved(networks.make("gap"), tmp_path)
    shared.load(path, networks.card())
    x = torch.randn(3, 3, 32, 32)
    expected = load_classifier(path, "cpu", networks.card()).scores(x)
    torch.testing.assert_close(torch.from_numpy(shared.scores(x.numpy())), expected)


def test_the_error_is_the_one_that_loading_raises(shared, tmp_path):
    path = saved(networks.make("gap"), tmp_path)
    card = networks.card(classes=["a", "b"])
    with pytest.raises(ClassifierError) as here:
        load_classifier(path, "cpu", card)
    with pytest.raises(ClassifierError) as there:
        shared.load(path, card)
    assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))
    with pytest.raises(ClassifierError, match="load it first"):
        shared.scores(torch.zeros(1, 3, 32, 32).numpy())


@pytest.mark.parametrize("module", [Loops, LoopsAtLoad])
def test_a_file_that_loops_is_stopped(module, shared, tmp_path):
    path = saved(module(), tmp_path)
    started = time.monotonic()
    with pytest.raises(
        TrialError, match=r"net\.pt took longer than 1 s to load and to answer and was stopped: it loops"
    ):
        shared.load(path, networks.card(), seconds=1)
    assert time.monotonic() - started < 20
    shared.load(saved(networks.make("gap"), tmp_path), networks.card())  # another child takes over


def test_a_file_that_loops_for_certain_wells_is_stopped(shared, tmp_path):
    shared.load(saved(LoopsForSome(), tmp_path), networks.card())
    x = torch.zeros(1, 3, 32, 32)
    assert shared.scores(x.numpy()).shape == (1, 3)
    x[0, 0, 0, 0] = 12345.0
    with pytest.raises(TrialError, match="took longer than 1 s to answer"):
        shared.scores(x.numpy(), seconds=1)
    with pytest.raises(ClassifierError, match="load it first"):
        shared.scores(x.numpy())


def test_a_file_that_takes_all_memory_is_refused(shared, tmp_path):
    with pytest.raises(DeviceError, match="no room"):
        shared.load(saved(TakesAllMemory(), tmp_path), networks.card())


def test_what_a_network_prints_disturbs_nothing(shared, tmp_path, capfd):
    shared.load(saved(Chatters(), tmp_path), networks.card())
    assert capfd.readouterr() == ("", "")


@needs_signals
@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (
            signal.SIGSEGV,
            r"net\.pt crashed \(signal 11, SIGSEGV\).*the file is damaged, or was made for another version",
        ),
        (9, r"ended by the system.*\(signal 9, SIGKILL\).*took all memory"),
    ],
)
def test_a_crash_is_said_in_a_sentence(number, sentence, shared, tmp_path):
    shared.load(saved(networks.make("gap"), tmp_path), networks.card())
    threading.Timer(0.5, os.kill, (shared.pid, number)).start()
    with pytest.raises(TrialError, match=sentence):
        shared.load(saved(Loops(), tmp_path), networks.card())


def test_a_trial_can_be_cancelled(shared, tmp_path):
    shared.load(saved(networks.make("gap"), tmp_path), networks.card())
    pid, started = shared.pid, time.monotonic()
    with pytest.raises(Cancelled):
        shared.load(saved(Loops(), tmp_path), networks.card(), cancelled=lambda: time.monotonic() - started > 0.5)
    assert time.monotonic() - started < 5
    assert shared.pid is None
    if os.name == "posix":
        assert not is_alive(pid)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_the_child_ends_with_its_parent(shared, tmp_path):
    path = saved(Loops(), tmp_path)
    code = (
        "import json, sys, threading, time\n"
        "from pathlib import Path\n"
        "from napari_attribution.classifiers.cards.card import ClassifierCard\n"
        "from napari_attribution.classifiers.files.trial.trial import Trial\n"
        "trial, card = Trial(), ClassifierCard(**json.loads(sys.argv[2]))\n"
        "threading.Thread(target=trial.load, args=(Path(sys.argv[1]), card)).start()\n"
        "while trial.pid is None: time.sleep(0.01)\n"
        "print(trial.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    arguments = [sys.executable, "-c", code, str(path), networks.card().model_dump_json()]
    parent = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    time.sleep(5)  # by now it imports torch, or loops
    assert is_alive(child)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


def test_the_child_knows_no_window(shared, tmp_path):
    """It must start fast, and on computers without a screen."""
    code = (
        "import sys, json; from napari_attribution.classifiers.files import loading; "
        "from napari_attribution.classifiers.files.trial import child; print(json.dumps(list(sys.modules)))"
    )
    modules = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not {"napari", "qtpy", "magicgui", "PyQt6", "PySide6"} & set(modules)
