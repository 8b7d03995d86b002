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
    '`model.teacher.checkpoint` in the config; `mmkd train` with the config in '
    '`model.teacher.config` trains one. A trained student needs no teacher: '
    'its config is student.py, next to its checkpoints.'
)


def load_weights(model: nn.Module, checkpoint: str) -> list[str] | None:
    """Load all weights of a model from a checkpoint.

    Accepts checkpoints of MMEngine, MMSegmentation and MMPretrain (including
    their training checkpoints and mmkd's), bare state dicts, and what
    :func:`mmkd.checkpoints.weights.weights_for` finds.

    Args:
        model: The model that receives the weights.
        checkpoint: Anything that MMEngine's ``CheckpointLoader`` can load.

    Returns:
        The names of its classes, if the checkpoint contains them.

    Raises:
        ValueError: If a weight is missing, has another shape or a value that cannot
            result from training; the message names the first few.
        OSError: If the checkpoint cannot be reached.
    """
    try:
        content = _content(checkpoint)
    except OSError as error:
        raise _unreachable(checkpoint, str(error).rstrip('.')) from error
    source = f"the teacher's checkpoint {checkpoint!r}"
    state = weights_for(model, content, source)
    unread = load_whole(model, state, source)
    unread = [name for name in unread if not name.startswith('methods.')]
    if unread:
        print_log(
            f'Unused by the teacher in {checkpoint!r}: {listed(unread)}',
            logger='current',
        )
    return names_in(content)


def check_file(checkpoint: str) -> None:
    """Check that a checkpoint exists, if it is a local file.

    Args:
        checkpoint: A file or an address.

    Raises:
        OSError: If it does not.
    """
    if '://' not in checkpoint and not Path(checkpoint).expanduser().is_file():
        raise _unreachable(checkpoint, 'there is no such file')


def _unreachable(checkpoint: str, why: str) -> OSError:
    return OSError(
        f'the teacher checkpoint {checkpoint!r} cannot be reached: {why}. {HOW_TO_PASS}'
    )


def _content(checkpoint: str) -> Any:
    path = Path(checkpoint).expanduser()
    if not path.is_file():
        return CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    print_log(f"The teacher's weights are read from {path}", logger='current')
    # They are copied into the model: allocating memory would cost more than reading.
    return safe_load(path, mapped=True)
