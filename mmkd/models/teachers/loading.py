"""The teacher's weights, read from a checkpoint."""

from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import nn

from mmkd.checkpoints.loading import safe_load
from mmkd.checkpoints.weight_fit import load_whole
from mmkd.checkpoints.weights import weights_for
from mmkd.models.class_names import names_in
from mmkd.nearest import listed

HOW_TO_PASS = (
    'Pass a checkpoint file with `--teacher FILE`, or set '
    '`model.teacher.checkpoint` in the config; `mmkd train` with what '
    '`model.teacher.config` names trains one. A trained student needs no teacher: '
    'student.py, beside its checkpoints, is its config.'
)


def load_weights(model: nn.Module, checkpoint: str) -> list[str] | None:
    """Load a checkpoint into a model that must not stay random.

    Accepts checkpoints of MMEngine, MMSegmentation and MMPretrain (their
    training checkpoints and mmkd's too), bare state dicts, and what
    :func:`mmkd.checkpoints.weights.weights_for` finds.

    Args:
        model: The model that receives the weights.
        checkpoint: Anything that MMEngine's ``CheckpointLoader`` reaches.

    Returns:
        The names of its classes, where the checkpoint holds them.

    Raises:
        ValueError: If a weight is missing, has another shape or is no number that
            training gives; the message names the first few.
        OSError: If the checkpoint cannot be reached.
    """
    try:
        content = _content(checkpoint)
    except OSError as error:
        raise OSError(
            f'the teacher checkpoint {checkpoint!r} cannot be reached: '
            f'{str(error).rstrip(".")}. {HOW_TO_PASS}'
        ) from error
    source = f"the teacher's checkpoint {checkpoint!r}"
    state = weights_for(model, content, source)
    unread = load_whole(model, state, source)
    unread = [name for name in unread if not name.startswith('methods.')]
    if unread:
        print_log(
            f'Of {checkpoint!r} the teacher does not use: {listed(unread)}',
            logger='current',
        )
    return names_in(content)


def _content(checkpoint: str) -> Any:
    path = Path(checkpoint).expanduser()
    if not path.is_file():
        return CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    print_log(f"The teacher's weights are read from {path}", logger='current')
    # They are copied into the model: memory of their own costs more than reading them.
    return safe_load(path, mapped=True)
