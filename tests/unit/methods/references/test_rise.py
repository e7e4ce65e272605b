"""RISE against plain loops over drawn masks, and on a disc that was planted."""

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_attribution import explain
from napari_attribution.methods.references.parameters import RiseParameters
from napari_attribution.methods.references.rise import Masks


def plain_masks(drawn, size):
    """Each grid upsampled to one cell more than the input along each side, and cut out at its shift."""
    rows, columns = drawn.cells.shape[1:]
    sides = [-(-length // many) for length, many in zip(size, (rows, columns), strict=True)]
    for cells, down, right in zip(drawn.cells, *drawn.shifts.tolist(), strict=True):
        large = interpolate(cells[None, None], size=((rows + 1) * sides[0], (columns + 1) * sides[1]), mode="bilinear")[
            0, 0
        ]
        yield large[down : down + size[0], right : right + size[1]]


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("size", [(32, 32), (33, 21)])
def test_equals_plain_loops(size, centred, well, classifier, as_input):
    network = networks.make("gap")
    w = well(size)
    values = {"masks": 150, "grid": 5, "keep": 0.3, "seed": 4, "centred": centred}
    found = explain(classifier(network, size=size), w, "rise", target="hit", **values)
    drawn = Masks.draw(RiseParameters(**values), size)
    total, scores, masks = np.zeros(size), [], list(plain_masks(drawn, size))
    with torch.no_grad():
        for mask in masks:
            assert mask.shape == size
            scores.append(float(network(as_input(w) * mask)[0, 1]))
    offset = np.mean(scores) if centred else 0
    for score, mask in zip(scores, masks, strict=True):
        total += (score - offset) * mask.numpy() / (150 * 0.3)
    np.testing.assert_allclose(found.native, total, rtol=1e-3, atol=2e-6)


def test_masks_are_seeded_and_keep_what_they_should():
    drawn = Masks.draw(RiseParameters(masks=800, keep=0.3), (64, 48))
    assert drawn.cells.shape == (800, 7, 5)
    assert float(drawn.of(slice(0, 800)).mean()) == pytest.approx(0.3, abs=0.01)
    assert torch.equal(drawn.cells, Masks.draw(RiseParameters(masks=800, keep=0.3), (64, 48)).cells)
    other = Masks.draw(RiseParameters(masks=800, keep=0.3, seed=1), (64, 48))
    assert not torch.equal(drawn.cells, other.cells)


class Disc(nn.Module):
    """Sees the brightness of stain 1 inside a disc, and nothing else; a large offset is added."""

    def __init__(self) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(48), torch.arange(64), indexing="ij")
        self.register_buffer("disc", (((rows - 14) ** 2 + (columns - 45) ** 2) < 64).float())

    def forward(self, x: Tensor) -> Tensor:
        seen = 3 * (x[:, 1] * self.disc).sum(dim=(1, 2)) / self.disc.sum()
        return torch.stack([-seen, seen + 20, seen * 0], dim=1)


@pytest.mark.parametrize("centred", [True, False])
def test_finds_a_planted_disc(centred, well, classifier):
    network = Disc()
    pixels = np.random.default_rng(0).uniform(1, 2, size=(3, 48, 64)).astype(np.float32)
    w = well((48, 64))
    w = type(w)(pixels, w.stains)
    c = classifier(network, size=(48, 64))
    found = explain(c, w, "rise", target="hit", masks=1000, fill="background", centred=centred).map
    disc = network.disc.numpy().astype(bool)
    peak = np.unravel_index(found.argmax(), found.shape)
    brightest = np.argsort(found.ravel())[-disc.sum() :]
    inside = disc.ravel()[brightest].mean()
    if centred:
        assert disc[peak]
        assert inside > 0.6
        assert abs(np.median(found[~disc])) < 0.25 * found[disc].mean()
    else:
        # The offset drowns what the disc adds: the reason for centring.
        assert inside < 0.6
