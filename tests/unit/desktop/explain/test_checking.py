"""A well and a classifier are brought together: by name, by hand, and by the layer of the cells."""

import numpy as np

from napari_attribution.desktop.layers import show_well

from .conftest import card


def test_a_stain_without_its_name_is_mapped_by_hand(controller, viewer, well, weights, mail):
    show_well(viewer, well.renamed(["DNA", "ER", "MitoTracker"]))
    mail.deliver_all()
    controller.open_classifier(weights, card())
    mail.deliver_until(lambda: controller.state.classifier is not None)
    assert controller.state.stain_map == {"DNA": "DNA", "ER": "ER", "Mito": None}
    assert controller.status.stains.level == "wrong"
    controller.map_stain("Mito", "MitoTracker")
    mail.deliver_until(lambda: controller.state.checked is not None)
    assert controller.status.ready
    controller.explain()
    mail.deliver_until(lambda: not controller.state.explaining)
    assert "MitoTracker" in controller.state.answer.channel_importance


def test_renaming_a_layer_maps_its_stain(controller, viewer, well, weights, mail):
    layers = show_well(viewer, well.renamed(["DNA", "ER", "w3"]))
    mail.deliver_all()
    controller.open_classifier(weights, card())
    mail.deliver_until(lambda: controller.state.classifier is not None)
    layers[2].name = "Mito"
    mail.deliver_until(lambda: controller.state.checked is not None)
    assert controller.state.stain_map["Mito"] == "Mito"


def test_single_cells_are_marked_by_a_layer(controller, viewer, well, weights, mail):
    show_well(viewer, well)
    mail.deliver_all()
    controller.open_classifier(weights, card(mode="cells", size=(16, 16)))
    mail.deliver_until(lambda: controller.state.classifier is not None)
    assert controller.status.check.level == "todo"
    points = viewer.add_points([[10.0, 4.0], [10.0, 10.0]], units=("um", "um"))
    mail.deliver_all()
    controller.choose_cells(points)
    cells = controller.question().cells
    assert np.allclose(cells.centres(), [[20, 16], [20, 40]])
    mail.deliver_until(lambda: controller.state.checked is not None)
    assert controller.status.ready, controller.status.headline
