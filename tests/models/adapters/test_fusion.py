import torch

from mmkd.models.adapters import AttentionFusion


def test_attention_says_how_much_of_each_level() -> None:
    fusion = AttentionFusion(2, 3, 5, fuses=True).eval()
    features, deeper = torch.randn(1, 2, 8, 8), torch.randn(1, 3, 4, 4)
    conv = fusion.attention[0]
    torch.nn.init.zeros_(conv.weight)
    conv.bias.data = torch.tensor([100.0, -100.0])
    out, fused = fusion(features, deeper, (8, 8))
    torch.testing.assert_close(fused, fusion.enter(features))
    torch.testing.assert_close(out, fusion.leave(fused))
    conv.bias.data = torch.tensor([-100.0, 100.0])
    _, fused = fusion(features, deeper, (8, 8))
    assert torch.equal(fused, deeper.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_the_deepest_level_has_no_attention() -> None:
    fusion = AttentionFusion(2, 3, 5, fuses=False)
    assert fusion.attention is None
    out, fused = fusion(torch.randn(2, 2, 4, 4), None, (7, 6))
    assert out.shape == (2, 5, 7, 6)
    assert fused.shape == (2, 3, 7, 6)
