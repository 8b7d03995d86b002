from pathlib import Path

from tiny_models import Tiny

from mmkd_demo.networks import deployed_parameters


def test_an_auxiliary_head_is_not_deployed(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path)
    plain = sum(p.numel() for p in tiny.plain('images').parameters())
    assert deployed_parameters(tiny.plain('images')) == plain
    assert deployed_parameters(tiny.distiller('images')) == plain
