"""Covering: against one forward at a time on the eager network, and a planted region."""

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution.errors import Cancelled, ClassifierError
from napari_attribution.methods.channels.problems import problems_of
from napari_attribution.methods.question.covering import BETWEEN, losses, regions


def losses_by_loops(network: nn.Module, x: Tensor, fill: Tensor, target: int, across: int, sigma: float) -> np.ndarray:
    """Hole by hole, pixel by pixel."""
    _, h, w = x.shape
    rows, columns = regions(across, (h, w))
    at = [((i + 0.5) * h / rows - 0.5, (j + 0.5) * w / columns - 0.5) for i in range(rows) for j in range(columns)]
    with torch.no_grad():
        whole = float(network(x[None])[0, target])
    lost, areas = [], []
    for row, column in at:
        hole = np.array(
            [[np.exp(-((y - row) ** 2 + (z - column) ** 2) / (2 * sigma**2)) for z in range(w)] for y in range(h)]
        )
        with torch.no_grad():
            covered = torch.from_numpy(hole).float() * fill + (1 - torch.from_numpy(hole).float()) * x
            lost.append(whole - float(network(covered[None])[0, target]))
            areas.append(hole.sum())
    lost = np.array(lost) / areas * np.mean(areas)
    found = np.empty((h, w))
    for y in range(h):
        for z in range(w):
            weights = np.array(
                [
                    np.exp(-(((y - row) * rows / h) ** 2 + ((z - column) * columns / w) ** 2) / (2 * BETWEEN**2))
                    for row, column in at
                ]
            )
            found[y, z] = (weights * lost).sum() / weights.sum()
    return found


@pytest.mark.parametrize(("size", "across"), [((32, 32), 4), ((20, 33), 5), ((9, 30), 6)])
def test_it_is_what_loops_give(size, across):
    network = networks.make("gated")
    (problem,) = problems_of(networks.wrapped(network, size), networks.noise(size), "dead", fill="blur")
    expected = losses_by_loops(network, problem.x[0], problem.fill[0], 2, across, 3.0)
    np.testing.assert_allclose(losses(problem, across, 3.0), expected, atol=2e-5)


def test_regions_share_the_input_out():
    assert regions(6, (384, 384)) == (6, 6)
    assert regions(6, (100, 300)) == (2, 6)
    assert regions(6, (1, 300)) == (1, 6)
    assert regions(6, (3, 4)) == (3, 4)


def test_the_region_without_which_the_score_falls_is_found():
    c = networks.wrapped(networks.MatchedFilter(), (96, 96))
    (problem,) = problems_of(c, networks.discs(96, [(38, 60)]), "hit")
    found = losses(problem, 6, 9.6)
    top = np.unravel_index(int(found.argmax()), found.shape)
    assert np.hypot(top[0] - 38, top[1] - 60) < 12
    assert abs(float(found[80, 16])) < 0.05 * float(found.max())


def test_holes_that_the_border_cuts_off_lose_no_less():
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen = x.mean(dim=(1, 2, 3))
            return torch.stack([-seen, seen, seen * 0], dim=1)

    well = networks.Well(np.ones((3, 32, 32), np.float32) + 1e-3 * np.eye(32, dtype=np.float32), networks.STAINS)
    (problem,) = problems_of(networks.wrapped(Mean()), well, "hit", fill="background")
    found = losses(problem, 6, 3.2)
    assert float(found.max() / found.min()) < 1.01


def test_scores_that_are_not_numbers_are_an_error():
    class Nan(networks.Gap):
        def forward(self, x: Tensor) -> Tensor:
            scores = self.classify(self.features(x))
            return torch.where(x[:, :1, 0, 0] == 0, scores / 0, scores)

    (problem,) = problems_of(networks.wrapped(Nan()), networks.noise(), "hit", fill="background")
    with pytest.raises(ClassifierError, match="once a region of the input is filled"):
        losses(problem, 32, 0.01)


def test_it_can_be_stopped():
    def stop(done: int, total: int) -> None:
        raise Cancelled("Stopped; nothing has changed.")

    (problem,) = problems_of(
        networks.wrapped(networks.make("gap")), networks.noise(), "hit", progress=lambda index, count: stop
    )
    with pytest.raises(Cancelled):
        losses(problem, 4, 3.0)
