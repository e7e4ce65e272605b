"""Scores of a well that were found together with other wells' are not asked for again."""

import networks
import numpy as np
import pytest
import torch

from napari_attribution.methods.explain import answer
from napari_attribution.methods.question.ground import Ground


def test_what_is_known_of_a_well_is_not_asked_again():
    classifier, well = networks.wrapped(networks.make("gap")), networks.noise()
    alone = answer(classifier, well, channels="none").attribution
    ground = Ground(well, classifier.card)
    scores = classifier.scores(ground.prepared(None, None).inputs).detach()
    ground.tell(classifier, scores)
    known = answer(classifier, well, ground=ground, channels="none").attribution
    assert known.forwards == pytest.approx(alone.forwards - 1)
    assert known.predicted == alone.predicted
    np.testing.assert_array_equal(known.values, alone.values)


def test_what_is_known_by_one_classifier_is_not_another_s():
    first, second = (networks.wrapped(networks.make("gap", seed)) for seed in (0, 1))
    ground = Ground(networks.noise(), first.card)
    ground.tell(first, torch.tensor([[9.0, 0.0, 0.0]]))
    assert answer(first, ground.well, ground=ground).attribution.predicted == first.classes[0]
    assert answer(second, ground.well, ground=ground).scores.tolist() != [[9.0, 0.0, 0.0]]
