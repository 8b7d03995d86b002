import torch

from mmkd.models.adapters import pooled


def test_maps_are_averaged() -> None:
    features = torch.arange(24.0).view(2, 3, 2, 2)
    expected = torch.tensor([[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]])
    assert torch.equal(pooled(features), expected)


def test_vectors_stay() -> None:
    features = torch.randn(2, 3)
    assert pooled(features) is features
