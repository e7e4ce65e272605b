"""Measuring: every measure of one map of one input, under names that stay."""

from __future__ import annotations

import numpy.typing as npt

from napari_attribution.faithfulness import localisation
from napari_attribution.faithfulness.curves import STEPS, curves
from napari_attribution.faithfulness.drops import SHARES, drops
from napari_attribution.faithfulness.removal import map_of
from napari_attribution.faithfulness.sensitivity import SAMPLES, sensitivity_n
from napari_attribution.faithfulness.sharpness import sparseness, width
from napari_attribution.methods.question.problem import Problem


def measure(
    problem: Problem,
    map: npt.ArrayLike,
    mask: npt.ArrayLike | None = None,
    cells: npt.ArrayLike | None = None,
    *,
    steps: int = STEPS,
    samples: int = SAMPLES,
    seed: int = 0,
) -> dict[str, float]:
    """Measure how far a map is to be trusted.

    Parameters
    ----------
    problem : Problem
        What the map explains: classifier, input, fill and score.
    map : (h, w) or (C, h, w) array
        Signed, at the input's resolution (`Explained.at_input`); with a leading axis, stains at places are measured.
    mask : (h, w) or (C, h, w) array, optional
        Where the truth lies; without it there is no localisation.
    cells : (h, w) array, optional
        Mask or label image of all cells; without it there is no "inside cells".
    steps : int
        Of insertion and deletion; 0 leaves both out.
    samples : int
        Subsets for sensitivity-n; 0 leaves it out.
    seed : int
        Of the subsets.

    Returns
    -------
    dict of name to number, in this order; NaN where a measure has no meaning, as the modules say:

    ========================  ==============================================================  ==============  ========
    name                      what                                                            module          better
    ========================  ==============================================================  ==============  ========
    mass                      share of the positive map in the mask                           localisation    higher
    rank                      share of the mask that as many top units cover                  localisation    higher
    top3                      share of the top 3 % that lies in the mask                      localisation    higher
    iou                       overlap of the mask and as many top units                       localisation    higher
    pointing                  1 where the maximum lies in the mask                            localisation    higher
    inside cells              share of the positive map in cells                              localisation    higher
    sharpness                 width at half the maximum, in pixels of the input               sharpness       lower
    sparseness                Gini index                                                      sharpness       higher
    insertion                 area, normalised                                                curves          higher
    deletion                  area, normalised                                                curves          lower
    srg                       symmetric relevance gain, normalised                            curves          higher
    raw srg                   the same in the score's unit                                    curves          higher
    sensitivity-n             correlation with the drops of random patches                    sensitivity     higher
    drop confidence 20        per cent of the probability lost with the top 20 % kept         drops           lower
    increase confidence 20    100 where it rose, else 0                                       drops           higher
    drop activation 20        the same of the logit                                           drops           lower
    increase activation 20                                                                    drops           higher
    ========================  ==============================================================  ==============  ========

    The last four are there for 10, 20, 30 and 50 per cent. It takes 2 * steps + samples + 1 + 5 forwards.

    Raises
    ------
    RequestError
        For a map with NaN or of another shape, or an empty mask.
    ClassifierError
        For scores that are not numbers.
    """
    checked = map_of(problem, map)
    found: dict[str, float] = {}
    if mask is not None:
        found["mass"] = localisation.mass(checked, mask)
        found["rank"] = localisation.rank(checked, mask)
        found["top3"] = localisation.precision(checked, mask, 0.03)
        found["iou"] = localisation.iou(checked, mask)
        found["pointing"] = localisation.pointing(checked, mask)
    if cells is not None:
        found["inside cells"] = localisation.inside_cells(checked, cells)
    found["sharpness"] = width(checked)
    found["sparseness"] = sparseness(checked)
    if steps > 0:
        both = curves(problem, checked, steps)
        found |= {"insertion": both.insertion_area, "deletion": both.deletion_area}
        found |= {"srg": both.srg, "raw srg": both.raw_srg}
    if samples > 0:
        found["sensitivity-n"] = sensitivity_n(problem, checked, samples=samples, seed=seed)
    of = drops(problem, checked, SHARES)
    for index, share in enumerate(SHARES):
        for name in ("confidence", "activation"):
            found[f"drop {name} {100 * share:.0f}"] = of[name][index].drop
            found[f"increase {name} {100 * share:.0f}"] = of[name][index].increase
    return found
