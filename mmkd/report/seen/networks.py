"""Students and teachers of runs, built for inference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.utils import import_modules_from_strings
from torch import Tensor, nn

from mmkd.checkpoints.loading import safe_load
from mmkd.checkpoints.weight_fit import load_whole
from mmkd.checkpoints.weights import weights_for
from mmkd.models.build import build_model, model_in
from mmkd.models.deploy import student_config
from mmkd.models.tasks import Task, class_count, task_of
from mmkd.models.teachers import FrozenTeacher
from mmkd.models.teachers.recorded import SETTINGS
from mmkd.registry import scope_of
from mmkd.runs import Run
from mmkd.setup import setup

TEACHER_SETTINGS = ('config', 'checkpoint', *SETTINGS)


@dataclass
class Network:
    """A network for inference.

    Attributes:
        model: Its data preprocessor makes the inputs of ``predict``.
        predict: Returns data samples with predictions.
        task: How to read them.
        num_classes: How many classes it predicts.
        to_student: Maps its classes to those of the data.
    """

    model: Any
    predict: Callable[[Tensor, Sequence[Any]], Sequence[Any]]
    task: Task
    num_classes: int
    to_student: Callable[[Tensor], Tensor] = lambda predictions: predictions


def student_of(run: Run) -> Network:
    """Build the student of a run with its saved weights.

    Raises:
        FileNotFoundError: If it has no checkpoint.
        ValueError: If its config has no model.
        Exception: Whatever building the model or loading the checkpoint raises.
    """
    setup()
    if run.checkpoint is None:
        raise FileNotFoundError('it has no checkpoint')
    if not run.student:
        raise ValueError('its config has no model')
    cfg = student_config(Config(dict(run.settings)))
    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    with scope_of(run.settings):
        model: Any = revert_sync_batchnorm(build_model(model_in(cfg)))
    state = weights_for(model, safe_load(run.checkpoint), str(run.checkpoint))
    load_whole(model, state, str(run.checkpoint))
    _place(model)

    def predict(inputs: Tensor, samples: Sequence[Any]) -> Sequence[Any]:
        found: Sequence[Any] = model(inputs, samples, mode='predict')
        return found

    count = class_count(model)
    return Network(model, predict, task_of(model), max(count or 2, 2))


def teacher_of(run: Run, student: Network, names: Sequence[str] | None) -> Network:
    """Build the teacher of a run, which takes the student's inputs.

    Args:
        run: A distillation.
        student: Its student.
        names: Class names of the data.

    Raises:
        FileNotFoundError: If its checkpoint does not exist.
        Exception: Whatever building the teacher raises.
    """
    model = run.settings['model']
    settings: Mapping[str, Any] = model.get('teacher') or {}
    checkpoint = settings.get('checkpoint')
    if not checkpoint or not Path(checkpoint).is_file():
        raise FileNotFoundError(f'its checkpoint was not found: {checkpoint}')
    own = {key: settings[key] for key in TEACHER_SETTINGS if key in settings}
    own.setdefault('num_classes', model.get('num_classes'))
    with scope_of(run.settings):
        teacher = FrozenTeacher(**own, fold=False, channels_last=False)
    # Both preprocessors must be on one device to be compared.
    _place(teacher.model)
    teacher.match_inputs(student.model.data_preprocessor)
    teacher.classes.match(names)
    return Network(
        student.model,
        teacher.predict,
        student.task,
        student.num_classes,
        teacher.classes.numbers,
    )


def _place(model: nn.Module) -> None:
    model.eval().to('cuda' if torch.cuda.is_available() else 'cpu')
