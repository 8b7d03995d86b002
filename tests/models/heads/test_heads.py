import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mmkd.models.heads import LinearClassifier, MLPClassifier, pointwise
from mmkd.models.norms import BatchNorm1d
from mmkd.registry import MODELS


@pytest.mark.parametrize('kind', [LinearClassifier, MLPClassifier])
@pytest.mark.parametrize('shape', [(), (3, 5)])
def test_positions_are_classified_one_by_one(
    kind: type[nn.Module], shape: tuple[int, ...]
) -> None:
    features = torch.randn(2, 7, *shape)
    head = kind(in_channels=7, num_classes=4, spatial_dims=len(shape)).eval()

    logits = head(features)

    assert logits.shape == (2, 4, *shape)
    position = (slice(None), slice(None), *(slice(n - 1, n) for n in shape))
    torch.testing.assert_close(head(features[position]), logits[position])


@pytest.mark.parametrize('kind', [LinearClassifier, MLPClassifier])
def test_pixels_are_classified_as_vectors_are(kind: type[nn.Module]) -> None:
    vectors, pixels = kind(7, 4).eval(), kind(7, 4, spatial_dims=2).eval()
    state = vectors.state_dict()
    own = pixels.state_dict()
    pixels.load_state_dict({key: state[key].view_as(own[key]) for key in own})
    features = torch.randn(3, 7)

    maps = pixels(features[..., None, None])

    torch.testing.assert_close(maps[..., 0, 0], vectors(features))


def test_linear_classifier_by_hand() -> None:
    head = LinearClassifier(in_channels=2, num_classes=3)
    features = torch.randn(5, 2)

    weight, bias = head.classifier.weight, head.classifier.bias

    assert sum(p.numel() for p in head.parameters()) == 3 * 2 + 3
    torch.testing.assert_close(head(features), features @ weight.T + bias)


def test_mlp_classifier_by_hand() -> None:
    head = MLPClassifier(in_channels=6, num_classes=3, hidden_channels=8, dropout=0.0)
    features = torch.randn(16, 6)
    first, norm, last = head.layers[0], head.layers[2], head.layers[4]

    hidden = first(features)
    centred = hidden - hidden.mean(0)
    hidden = centred / (hidden.var(0, unbiased=False) + norm.eps).sqrt()

    torch.testing.assert_close(head(features), last(F.relu(hidden)))


def test_mlp_classifier_is_the_papers() -> None:
    head = MLPClassifier(in_channels=64, num_classes=100)

    kinds = [nn.Linear, nn.Dropout, BatchNorm1d, nn.ReLU, nn.Linear]
    assert [type(layer) for layer in head.layers] == kinds
    assert head.layers[0].out_features == 200
    assert head.layers[1].p == 0.1


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    head = MLPClassifier(6, 3, hidden_channels=50, dropout=0.9)
    features = torch.randn(4, 6)

    assert not head(features).equal(head(features))
    assert head.eval()(features).equal(head(features))


@pytest.mark.parametrize('kind', ['LinearClassifier', 'MLPClassifier'])
def test_heads_are_registered(kind: str) -> None:
    head = MODELS.build(dict(type=kind, in_channels=2, num_classes=3))

    assert head.eval()(torch.randn(1, 2)).shape == (1, 3)


@pytest.mark.parametrize('spatial_dims', [1, 3, -1])
def test_other_dimensions_are_refused(spatial_dims: int) -> None:
    with pytest.raises(ValueError, match=f'must be 0 or 2, got {spatial_dims}'):
        pointwise(2, 3, spatial_dims)
    with pytest.raises(ValueError, match='spatial_dims'):
        MLPClassifier(2, 3, spatial_dims)
