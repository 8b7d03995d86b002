import numpy as np
import torch

from mmkd.analysis.embedding import Embedding, draw


def test_the_legend_names_every_class() -> None:
    places = Embedding(np.random.default_rng(0).random((6, 2)), 0.1)
    labels = torch.tensor([0, 0, 2, 2, 3, 3])
    figure = draw(dict(a=places, b=places), labels, ['_background_', 'ant', 'bee', '_'])
    [legend] = figure.legends
    assert [text.get_text() for text in legend.texts] == ['_background_', 'bee', '_']
