"""A network is trained in mixed precision on a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_toys import QUICK, toy

from napari_attribution.training.backbones import make_network
from napari_attribution.training.network.fitting import Fitted, fit

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


def test_it_finds_the_stain_that_tells_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    def fitted(path: Path | None = None) -> Fitted:
        network = make_network(QUICK, 4, 2)
        return fit(
            network, toy(64, seed=0), toy(32, seed=1), QUICK, seed=0, device="cuda", checkpoint=path
        )  # fmt: skip

    found = fitted(tmp_path / "checkpoint.pt")
    assert found.importance is not None
    assert found.importance.argmax() == 2
    assert next(found.network.parameters()).device.type == "cpu"
    assert found.history[found.best_epoch - 1].accuracy > 0.9
    assert fitted(tmp_path / "checkpoint.pt").history == found.history
