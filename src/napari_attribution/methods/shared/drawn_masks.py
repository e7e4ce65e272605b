r"""Drawn masks: what every place of every stain does to the score, estimated from forwards alone.

For classifiers that give no gradients (int8 networks, fused operations, detached outputs). Masks are drawn at random, as
RISE does (Petsiuk et al., BMVC 2018, arXiv 1806.07421): coin tosses on a coarse grid, laid over the places bilinearly
with a random shift. Each mask m, one weight in [0, 1] a place p (and stain c), is scored together with its opposite,

    z_i = (S(M(m_i)) - S(M(1 - m_i))) / 2,     M(m) = B + m (X - B),     B the fill

which is what the keep and the remove game of `napari_attribution.methods.pcim` ask from alpha = 1/2. What is sought is
the linear effect of every weight, that is the gradient by alpha averaged over the mixtures drawn:

    z_i = sum_cp (m_icp - 1/2) beta_cp + e_i

Where this deviates from RISE:

- opposite masks are drawn in pairs, so that all even orders of the score, its mean first of all, cancel exactly;
- not the mean of the masks weighted by their scores, which needs thousands of forwards, but the posterior mean of beta
  given z (Gaussian process regression; ridge regression is the special case without correlations):

      beta_c ~ N(0, s_c E_c K E_c),     e ~ N(0, s_0 I)

  K correlates neighbours, exp(-d^2 / 2 l^2). E_cp, the root mean square of X - B in a place, is known beforehand: where
  the input is what it would be filled with, a mask changes nothing and beta is zero. The variances s, one a stain, and
  the noise s_0 (the network is exact: the noise is what is not linear in the mask) are those that make z most likely
  (Zhou et al., JCGS 2019, arXiv 1509.04608: monotone updates of variance components), and so is l out of `_LENGTHS`. A stain that
  does nothing is found out by its variance, and its places stop being noise in the map.
  On the three sample wells, the share of the positive map in the affected cells (0.75, 0.71 and 0.77 by gradients) is
  0.67, 0.43 and 0.64 with 250 forwards, 0.69, 0.49 and 0.70 with 500; the mean of the masks weighted by their scores
  reaches 0.54, 0.45 and 0.55 with 2000.
- standard errors are the posterior's. They hold the model's assumptions for true: read them as lower bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_attribution.methods.question.problem import Problem

ACROSS = 8
"""Coin tosses along the longer side of a mask. Masks that are finer than what the network reads move no score."""

_LENGTHS = (0.25, 0.375, 0.5, 0.75)
"""Lengths of correlation that are tried, in sides of a coin toss."""

_UPDATES = 40

_FLOOR = 1e-9
"""Least noise, as a share of the variance of z."""


@dataclass(frozen=True)
class Effects:
    """What the weights do to the score, each as it goes from 0 to 1.

    Parameters
    ----------
    map, map_error : (C, rows, columns) Tensor
        Effect of every place, and its standard error.
    gained, gained_error : (C,) Tensor
        What the score gains, to first order, as every weight goes its effect's way, the strongest by 1/2 and the others in
        proportion; negative for what is mixed out. With its standard error (delta method).
    linear : float
        Share of the variance of z that the effects account for.
    count : int
        Masks scored.
    """

    map: Tensor
    map_error: Tensor
    gained: Tensor
    gained_error: Tensor
    linear: float
    count: int

    @property
    def change(self) -> Tensor:
        """(C, rows, columns) change of the weights that gains it: the map, its strongest place 1/2."""
        return 0.5 * self.map / self.map.abs().max().clamp_min(1e-12)

    def extra(self) -> dict[str, object]:
        """For the record."""
        return {
            "estimate": "masks",
            "masks": self.count,
            "linear_share": round(self.linear, 4),
            "standard_error_of_a_place": float(self.map_error.square().mean().sqrt()),
            "largest_effect_of_a_place": float(self.map.abs().max()),
        }


def drawn_effects(problem: Problem, count: int, channels: int, size: tuple[int, int]) -> Effects:
    """Draw masks, score them, and estimate what each place does.

    Parameters
    ----------
    count : int
        Masks, and forwards, in all; opposite masks both count.
    channels : int
        C for one mask a stain, 1 for one that the stains share.
    size : (int, int)
        Rows and columns of places; masks are upsampled to the input bilinearly.
    """
    contrasts = draw(max(1, count // 2), channels, size)
    return fit(contrasts, score_pairs(problem, contrasts), energy(problem, channels, size))


def draw(pairs: int, channels: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """(pairs, channels, rows, columns) masks less 1/2, in [-1/2, 1/2], the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    side = toss_side(size)
    tosses = [int((length - 1) / side + 1) + 2 for length in size]
    coins = (torch.rand(pairs, channels, *tosses, generator=generator) < 0.5).float() - 0.5
    shifts = torch.rand(2, pairs, generator=generator)
    rows, columns = (
        _tents(length, many, side, shift) for length, many, shift in zip(size, tosses, shifts, strict=True)
    )
    return torch.einsum("nri,ncij,nkj->ncrk", rows, coins, columns)


def toss_side(size: tuple[int, int]) -> float:
    """Places along the side of one coin toss."""
    return max(1.0, max(size) / ACROSS)


def _tents(length: int, tosses: int, side: float, shift: Tensor) -> Tensor:
    """(n, length, tosses) weights of linear interpolation; without a shift where a place is a toss of its own."""
    places = torch.arange(length) / side
    at = places[None] + (shift[:, None] if side > 1 else 0)
    return (1 - (at[:, :, None] - torch.arange(tosses)).abs()).clamp_min(0)


def score_pairs(problem: Problem, contrasts: Tensor) -> Tensor:
    """(pairs,) half differences of the scores of every mask and its opposite, batched by bytes."""
    total = 2 * len(contrasts)
    h, w = problem.x.shape[2:]

    def make(part: slice) -> Tensor:
        problem.progress(part.start, total)
        indices = torch.arange(part.start, part.stop)
        signs = 1.0 - 2 * (indices % 2)
        masks = 0.5 + signs[:, None, None, None] * contrasts[indices // 2]
        masks = masks.to(problem.x.device)
        return problem.mixed(interpolate(masks, size=(h, w), mode="bilinear", align_corners=False))

    scores = problem.score.of(problem.classifier.scores_of_many(make, total)).cpu()
    problem.progress(total, total)
    return (scores[::2] - scores[1::2]) / 2


def energy(problem: Problem, channels: int, size: tuple[int, int]) -> Tensor:
    """(channels, rows, columns) root mean square of what a place mixes in; over the stains too where they share a mask."""
    square = interpolate((problem.x - problem.fill).square(), size=size, mode="area")[0]
    return (square if channels > 1 else square.mean(dim=0, keepdim=True)).sqrt().cpu()


def fit(contrasts: Tensor, z: Tensor, energies: Tensor) -> Effects:
    """The posterior of the effects.

    Parameters
    ----------
    contrasts : (n, C, rows, columns) Tensor
    z : (n,) Tensor
    energies : (C, rows, columns) Tensor
    """
    rows, columns = energies.shape[1:]
    spread = float(z.double().square().mean().sqrt())
    # Changes below float32's own rounding are none.
    if spread < 1e-7:
        nothing = torch.zeros_like(energies)
        none = torch.zeros(len(energies))
        return Effects(nothing, nothing, none, none, 1.0, 2 * len(z))
    y, e = z.double() / spread, energies.double()
    e = e / e.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp_min(1e-30)
    weighted = contrasts.double() * e
    best: tuple[float, _Posterior] | None = None
    for length in _LENGTHS:
        kernels = [_kernel(many, length * toss_side((rows, columns))) for many in (rows, columns)]
        posterior = _Posterior.of(weighted, y, kernels[0], kernels[1])
        if best is None or posterior.misfit < best[0]:
            best = posterior.misfit, posterior
    assert best is not None
    return best[1].effects(e, spread)


def _kernel(length: int, scale: float) -> Tensor:
    places = torch.arange(length, dtype=torch.float64)
    return torch.exp(-((places[:, None] - places[None]) ** 2) / (2 * scale**2))


@dataclass(frozen=True)
class _Posterior:
    """A model with its most likely variances.

    Parameters
    ----------
    smoothed : (n, C, rows, columns) Tensor
        K E of every contrast.
    y : (n,) Tensor
    inverse : (n, n) Tensor
        Of the covariance of y.
    variances : (C + 1,) Tensor
        Of the stains, and of the noise.
    kernels : of rows, of columns.
    misfit : float
        Negative log likelihood of y, less a constant.
    """

    smoothed: Tensor
    y: Tensor
    inverse: Tensor
    variances: Tensor
    kernels: tuple[Tensor, Tensor]
    misfit: float

    @classmethod
    def of(cls, weighted: Tensor, y: Tensor, row_kernel: Tensor, column_kernel: Tensor) -> _Posterior:
        n, C = weighted.shape[:2]
        smoothed = torch.einsum("ij,ncjk,kl->ncil", row_kernel, weighted, column_kernel)
        parts = torch.stack(
            [*(weighted[:, c].flatten(1) @ smoothed[:, c].flatten(1).T for c in range(C)), torch.eye(n).double()]
        )
        scale = parts.diagonal(dim1=1, dim2=2).mean(dim=1).clamp_min(1e-30)
        variances = 1 / ((C + 1) * scale)
        for _ in range(_UPDATES):
            inverse, _, a = _solved(parts, variances, y)
            pull = (parts @ a) @ a
            push = parts.flatten(1) @ inverse.flatten()
            variances = variances * (pull / push.clamp_min(1e-30)).clamp_min(0).sqrt()
            variances[-1] = variances[-1].clamp_min(_FLOOR)
        inverse, logarithm, a = _solved(parts, variances, y)
        misfit = float((y @ a + logarithm) / 2)
        return cls(smoothed, y, inverse, variances, (row_kernel, column_kernel), misfit)

    def effects(self, e: Tensor, spread: float) -> Effects:
        """In the score's own unit: e the energies, spread what y was divided by."""
        C = len(e)
        s = self.variances[:C, None, None] * e
        gains = self.smoothed * s
        beta = torch.einsum("n,ncij->cij", self.inverse @ self.y, gains)
        error = self.variances[:C, None, None] * e.square() - _form(self.inverse, gains.flatten(1)).view_as(e)
        # What each effect counts for in the sum below; its derivative is twice that.
        share = beta.abs() / (2 * beta.abs().max().clamp_min(1e-30))
        of_place = 2 * share * e
        total = torch.einsum("cij,ik,ckl,lj->c", of_place, self.kernels[0], of_place, self.kernels[1])
        total = self.variances[:C] * total - _form(self.inverse, (2 * share * gains).sum(dim=(2, 3)))
        noise = float(self.variances[-1] / self.y.square().mean())
        return Effects(
            (beta * spread).float(),
            (error.clamp_min(0).sqrt() * spread).float(),
            ((share * beta).sum(dim=(1, 2)) * spread).float(),
            (total.clamp_min(0).sqrt() * spread).float(),
            max(0.0, 1 - noise),
            2 * len(self.y),
        )


def _solved(parts: Tensor, variances: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Inverse and log determinant of the covariance of y, and the inverse times y."""
    root = torch.linalg.cholesky((variances @ parts.flatten(1)).view_as(parts[0]))
    inverse = torch.cholesky_inverse(root)
    return inverse, 2 * root.diagonal().log().sum(), inverse @ y


def _form(inverse: Tensor, gains: Tensor) -> Tensor:
    """g' A g for every column g of the (n, places) gains."""
    return (gains * (inverse @ gains)).sum(dim=0)
