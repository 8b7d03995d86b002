import pytest

from mmkd.models.build import build_model


def test_an_assertion_without_words_is_said_by_its_code() -> None:
    """MMPretrain's ResNet asserts without a message that its stages exist."""
    backbone = dict(type='mmpretrain.ResNet', depth=18, out_indices=(0, 7))
    model = dict(type='mmpretrain.ImageClassifier', backbone=backbone)
    with pytest.raises(ValueError, match=r'Classifier cannot be built: .*out_indices'):
        build_model(model)
