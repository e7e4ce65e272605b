"""The answer's words are all there, and none is cut, however narrow the dock."""

import pytest

from napari_attribution.desktop.explain.views.answer_view import AnswerView
from napari_attribution.faithfulness.quick import Quick
from napari_attribution.faithfulness.words import sentences

LONG = sentences(Quick(-1.0, 0.5, 0.9, -2.0, 0.1, 16, 640, True), "mito fragmented")
GOOD = sentences(Quick(2.0, -3.0, 1.7, -2.4, -1.0), "hit")


@pytest.mark.parametrize("width", [280, 380, 900])
@pytest.mark.parametrize("trust", [(), GOOD, LONG, ("Keeps little.", "Careful.")])
def test_how_far_to_trust_it_stands_below_the_answer(qtbot, answers, width, trust):
    view = AnswerView()
    qtbot.addWidget(view)
    view.render_answer(answers(trust=trust, faithfulness={}))
    view.resize(width, 10)
    view.show()
    view.resize(width, view.heightForWidth(width))
    qtbot.waitExposed(view)
    assert view.trust.isVisible() == bool(trust)
    assert view.trust.text() == " ".join(trust)
    for label in (view.headline, view.said, view.trust, view.footnote):
        if label.isVisible():
            assert label.height() >= label.heightForWidth(label.width())
            assert label.width() <= width
    if trust:
        assert view.said.geometry().bottom() < view.trust.geometry().top()
        assert view.trust.geometry().bottom() < view.footnote.geometry().top()
    view.render_answer(None)
    assert not view.isVisible()
