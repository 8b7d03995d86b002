"""tools/test.py with the options that both libraries' tools have."""

import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmkd.cli.evaluation import average_augmentations, draw_predictions
from mmkd.models import build_model

CONFIGS = Path(__file__).parents[2] / 'configs'
STREETS = CONFIGS / 'students' / 'deeplabv3-w16_camvid.py'
DIGITS = CONFIGS / 'demo' / 'classification' / 'student.py'
ALONE = ('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False')
Tool = Callable[..., None]


def random_student(config: Path, folder: Path) -> nn.Module:
    torch.manual_seed(0)
    model = build_model(str(config)).eval()
    torch.save(dict(state_dict=model.state_dict()), folder / 'student.pth')
    return model


def test_label_maps_are_saved_and_drawn(
    run_tool: Tool, streets: Path, tmp_path: Path
) -> None:
    random_student(STREETS, tmp_path)
    run_tool(
        'test.py',
        *(STREETS, 'student.pth', '--data-root', streets, '--tta'),
        *('--out', 'maps', '--show-dir', 'drawn', '--cfg-options', *ALONE),
    )
    for number in range(4):
        labels = cv2.imread(f'maps/{number}_leftImg8bit.png', cv2.IMREAD_UNCHANGED)
        assert labels.shape == (64, 96)
        assert labels.max() < 11
    assert len(list(Path('drawn').rglob('*_leftImg8bit.png_*.png'))) == 4


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for number in range(10):
        path = tmp_path / 'digits' / 'val' / str(number) / f'{number}.png'
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path), generator.integers(0, 255, (8, 8), dtype=np.uint8))
    return tmp_path / 'digits'


def test_scores_are_saved_and_averaged_over_mirror_images(
    run_tool: Tool, digits: Path, tmp_path: Path
) -> None:
    model = random_student(DIGITS, tmp_path)
    command = 'test.py', DIGITS, 'student.pth', '--data-root', digits
    for name, options in (('plain', []), ('both', ['--tta'])):
        run_tool(*command, '--out', f'{name}.pkl', *options)
    for name, flips in (('plain', (False,)), ('both', (False, True))):
        with open(f'{name}.pkl', 'rb') as file:
            results = pickle.load(file)
        assert len(results) == 10
        for result in results:
            image = cv2.imread(result['img_path'], cv2.IMREAD_GRAYSCALE)
            scores = []
            for flip in flips:
                pixels = image[:, ::-1].copy() if flip else image
                inputs = (torch.tensor(pixels)[None, None].float() - 77.8) / 95.9
                with torch.no_grad():
                    scores.append(model(inputs, mode='tensor')[0])
            expected = torch.stack(scores).softmax(1).mean(0)
            torch.testing.assert_close(result['pred_score'], expected)

    run_tool(*command, '--show-dir', 'drawn')
    assert len(list(Path('drawn').glob('*.png*'))) == 10


def test_what_cannot_be_is_said(run_tool: Tool, digits: Path, tmp_path: Path) -> None:
    random_student(DIGITS, tmp_path)
    command = 'test.py', DIGITS, 'student.pth', '--data-root', digits
    with pytest.raises(ValueError, match=r'--out x\.txt: .*end in \.pkl'):
        run_tool(*command, '--out', 'x.txt')
    with pytest.raises(ValueError, match=r'VisualizationHook draws .* without --tta'):
        run_tool(*command, '--tta', '--show-dir', 'x')
    cfg = Config(dict(model={}, default_scope='mmdet'))
    for option in (average_augmentations, lambda cfg: draw_predictions(cfg, 'x')):
        with pytest.raises(ValueError, match=r"is 'mmdet': set it to one of mmseg, mm"):
            option(cfg)
