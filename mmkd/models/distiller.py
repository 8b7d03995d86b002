"""The model wrapper that the runner trains."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmkd.models.discovery import ModelView
from mmkd.models.methods import Method
from mmkd.models.taps import record
from mmkd.models.teacher import FrozenTeacher, build_model
from mmkd.registry import METHODS, MODELS
from mmkd.structures import LossGroups, sum_of_groups

PREFIX = 'distill.'
"""Log keys of distillation terms begin with this, then the method's name."""


@MODELS.register_module()
class Distiller(BaseModel):
    """One student, one frozen teacher and a dict of named methods.

    Trains like the student would alone: ``mode='predict'`` and
    ``mode='tensor'`` are the student's own, and so is every key of the state
    dict but those of the methods, which begin with ``methods.``. A checkpoint
    therefore loads in plain MMSegmentation or MMPretrain.

    Args:
        student: Model dict or config path of a classifier (MMPretrain) or a
            segmentor (MMSegmentation).
        teacher: Arguments of :class:`FrozenTeacher`: ``config``,
            ``checkpoint``.
        methods: Configs of methods by any names; the names appear in logs and
            checkpoints. One that is None or empty, as a child config makes it
            with ``dict(_delete_=True)``, is left out.
        num_classes: Sets the class count of every head of both models, for
            data other than the configs'.
        classifier: Path of the student's main classifier, where discovery
            shall be overridden.
        data_preprocessor: Used where the student's config has none.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If an argument is wrong; the message says what is allowed.

    Example:
        >>> Distiller(
        ...     student='mmseg::deeplabv3/deeplabv3_r18-d8_4xb2-80k_'
        ...             'cityscapes-512x1024.py',
        ...     teacher=dict(config='mmseg::deeplabv3/deeplabv3_r101-d8_4xb2-'
        ...                         '80k_cityscapes-512x1024.py',
        ...                  checkpoint='deeplabv3_r101.pth'),
        ...     methods=dict(dual_head=dict(type='DualHead')))
    """

    def __init__(
        self,
        student: str | dict[str, Any],
        teacher: dict[str, Any],
        methods: dict[str, dict[str, Any]],
        num_classes: int | None = None,
        classifier: str | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        model = build_model(student, num_classes, data_preprocessor)
        super().__init__(model.data_preprocessor, init_cfg)
        self.student = model
        self.student_view = ModelView(model, classifier)
        self.teacher = FrozenTeacher(num_classes=num_classes, **teacher)
        self.teacher.match_inputs(model.data_preprocessor)
        self.methods = nn.ModuleDict(
            {
                name: self._build_method(name, cfg)
                for name, cfg in methods.items()
                if cfg
            }
        )
        self.data_preprocessor.register_forward_pre_hook(self._check_labels)
        self._register_state_dict_hook(_drop_student_prefix)
        self._register_load_state_dict_pre_hook(_add_student_prefix)

    def _build_method(self, name: str, cfg: dict[str, Any]) -> Method:
        if 'loss' in name:
            raise ValueError(
                f"methods.{name}: a method's name must not contain 'loss', which "
                'marks the values of a log that are minimised.'
            )
        known = sorted(METHODS.module_dict)
        kind = cfg.get('type')
        if kind is None:
            raise ValueError(
                f'methods.{name} has no type. Is it the name of a method of the '
                f'base config, misspelt? Known types: {", ".join(known)}.'
            )
        if isinstance(kind, str) and METHODS.get(kind) is None:
            near = difflib.get_close_matches(kind, known, n=3)
            raise ValueError(
                f'methods.{name} is of the unknown type {kind!r}. '
                f'Nearest: {", ".join(near) or "none"}. Known: {", ".join(known)}.'
            )
        views = {'student': self.student_view, 'teacher': self.teacher.view}
        return METHODS.build({'_scope_': 'mmkd', **cfg}, default_args=views)

    def _check_labels(self, preprocessor: nn.Module, args: tuple[Any, ...]) -> None:
        samples = args[0].get('data_samples') if isinstance(args[0], dict) else None
        if self.training and samples is not None:
            view = self.student_view
            view.task.check_labels(samples, view.num_classes)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Losses of student and methods, or the student's own output.

        Args:
            inputs: Images ``(N, C, H, W)``.
            data_samples: The batch's annotations; needed for ``mode='loss'``.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            For ``'loss'`` a dict of the student's own losses and, as
            ``distill.<method>.<term>``, what the methods add; else what the
            student returns.
        """
        if mode != 'loss':
            return self.student(inputs, data_samples, mode=mode)
        if data_samples is None:
            raise ValueError("mode='loss' needs data_samples")
        return self.loss(inputs, data_samples)

    def loss(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement]
    ) -> dict[str, Tensor]:
        """Run teacher, student and methods on one batch.

        The teacher runs only if an active method taps it, and only as far as
        the deepest tap.
        """
        methods = cast(dict[str, Method], dict(self.methods.items()))
        active = [method for method in methods.values() if method.weight > 0]
        taps = {tap for method in active for tap in method.teacher_taps}
        teacher = self.teacher(inputs, taps) if taps else {}
        taps = {tap for method in active for tap in method.student_taps}
        with record(self.student, taps) as student:
            losses = self.student(inputs, data_samples, mode='loss')
        for method in methods.values():
            losses = _scaled(losses, method.task_weight)
        targets = self.student_view.task.targets(data_samples)
        for name, method in methods.items():
            terms = (
                _scaled(method.loss(student, teacher, targets), method.weight)
                if method.weight > 0
                else _idle(method)
            )
            losses.update({f'{PREFIX}{name}.{key}': v for key, v in terms.items()})
        return losses

    def parse_losses(
        self, losses: dict[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum the losses, keeping task and distillation apart on the result.

        Returns:
            The total, from which :func:`mmkd.structures.groups_of` takes the
            two groups back, and the log variables.
        """
        added = {key: v for key, v in losses.items() if key.startswith(PREFIX)}
        own = {key: v for key, v in losses.items() if key not in added}
        task, log_vars = super().parse_losses(own)
        if not added:
            return task, log_vars
        distillation, distillation_log = super().parse_losses(added)
        total = sum_of_groups(LossGroups(task, distillation))
        log_vars = {**log_vars, 'task_loss': task, **distillation_log, 'loss': total}
        return total, log_vars

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        self.teacher.apply(fn)
        return super()._apply(fn, recurse)


def _scaled(losses: dict[str, Any], weight: float) -> dict[str, Any]:
    if weight == 1:
        return losses
    scaled = {}
    for key, value in losses.items():
        if 'loss' not in key:
            scaled[key] = value
        elif isinstance(value, list):
            scaled[key] = [weight * item for item in value]
        else:
            scaled[key] = weight * value
    return scaled


def _idle(method: Method) -> dict[str, Tensor]:
    """A zero that keeps an idle method's parameters in the graph.

    Data parallelism waits for the gradient of every parameter.
    """
    parameters = list(method.parameters())
    if not parameters:
        return {}
    return {'loss': 0 * torch.stack([p.sum() for p in parameters]).sum()}


def _drop_student_prefix(
    module: nn.Module, state: dict[str, Tensor], prefix: str, metadata: dict[str, Any]
) -> None:
    _rename(state, prefix + 'student.', prefix)
    if hasattr(state, '_metadata'):
        _rename(state._metadata, prefix + 'student.', prefix)


def _add_student_prefix(
    state: dict[str, Tensor], prefix: str, *args: Any
) -> None:
    own = (prefix + 'student.', prefix + 'methods.')
    for key in [key for key in state if key.startswith(prefix)]:
        if not key.startswith(own):
            state[f'{prefix}student.{key[len(prefix):]}'] = state.pop(key)


def _rename(state: dict[str, Any], old: str, new: str) -> None:
    for key in [key for key in state if key.startswith(old)]:
        state[new + key[len(old) :]] = state.pop(key)
