from collections.abc import Callable
from pathlib import Path

from deployed import of_one_size
from mmengine.config import Config

from mmkd.deploy.forms import FLOAT, INT8, PYTORCH, subject_of
from mmkd.deploy.images import noise
from mmkd.deploy.network import Network


def test_a_network_of_one_size_is_calibrated_on_images_of_others(
    network: Callable[..., Network], nothing: Config, tmp_path: Path
) -> None:
    own = of_one_size(network('images'))
    others = noise(1, (20, 24), own) + noise(1, (16, 12), own)
    made = subject_of('s', own, nothing, noise(2, (16, 16), own), others, tmp_path)
    assert [form.runtime for form in made.forms] == [PYTORCH, FLOAT, INT8]
    [note] = made.notes
    assert '--fixed exports it for images of one size' in note
