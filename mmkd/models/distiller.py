"""The model that the runner trains: a student with its teacher and methods."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmkd.arguments import check_arguments
from mmkd.checkpoints.identity import text_of
from mmkd.loss_groups import LossGroups, sum_of_groups
from mmkd.models.build import build_model, student_dict
from mmkd.models.counterparts import check_counterparts
from mmkd.models.discovery import ModelView
from mmkd.models.label_check import LabelCheck
from mmkd.models.label_settings import check_class_weights, check_padding
from mmkd.models.methods import Method
from mmkd.models.named_methods import agreed_weight, build_method, idle_terms
from mmkd.models.parts import build_part
from mmkd.models.reach import check_terms
from mmkd.models.standing_taps import StandingTaps
from mmkd.models.taps import STANDING, capture
from mmkd.models.taught import blank, student_alone, taught
from mmkd.registry import MODELS, TEACHERS

PREFIX = 'distill.'
"""Log keys of distillation terms begin with this, then the method's name."""

OWN = (
    '_checked',
    '_has_summed',
    STANDING,
    '_task_weight',
    'compares_classes',
    'gradient_alignment',
    'identity',
    'methods',
    'named_methods',
    'standing_taps',
    'student_view',
    'task_weight',
    'teacher',
)
"""Attributes that a distiller has in addition to its student's."""


@MODELS.register_module()
class Distiller(BaseModel):
    """A student with a teacher and a dict of named methods.

    ``Distiller(...)`` returns the student itself, as an instance of a class
    derived from this one and its own: ``isinstance``, names of modules and
    parameters, hooks, constructors and checkpoints are the student's. The
    methods are an additional child, ``methods``, and their keys in a state dict,
    which begin with ``methods.``, are all that plain MMSegmentation or
    MMPretrain finds besides the student's.

    Building teacher and methods leaves the random state unchanged, so that the
    student starts from the same weights as without them.

    ``train_cfg=None``, which ``mmseg.apis.init_model`` adds and
    ``mmpretrain.get_model`` accepts, means that nothing is trained: it returns the
    plain student, and the teacher need not exist.

    Args:
        student: Model dict or config path of a classifier (MMPretrain) or a
            segmentor (MMSegmentation).
        teacher: Arguments of :class:`mmkd.models.teachers.FrozenTeacher`
            (``config``, ``checkpoint``), or of the ``type`` it names, such as
            :class:`mmkd.models.teachers.RecordedTeacher`.
        methods: Configs of methods under any names; the names appear in logs and
            checkpoints. A config that is None or empty, as a child config makes it
            with ``dict(_delete_=True)``, is left out.
        task_weight: Multiplies the student's own loss. None takes the weight that
            the methods set (``task_weight`` in a method's config), or 1 if none
            does. It applies in proportion to the schedules of these methods:
            while all of them are switched off the task has weight 1.
        num_classes: Sets the class count of both models, in every head that has
            that of the main one, for data other than the configs'.
        classifier: Path of the student's main classifier, to override
            discovery.
        data_preprocessor: Added to that of the student's config.

    Attributes:
        identity: ``student``, ``teacher``, ``methods`` and ``task_weight``, each as a
            string to compare with another training run's.

    Raises:
        ValueError: If an argument is wrong, teacher and student differ in task or
            image channels, two methods set different task weights, or the student
            has an attribute whose name is needed; the message says what is
            allowed.

    Example:
        >>> Distiller(
        ...     student='mmseg::deeplabv3/deeplabv3_r18-d8_4xb2-80k_'
        ...             'cityscapes-512x1024.py',
        ...     teacher=dict(config='mmseg::deeplabv3/deeplabv3_r101-d8_4xb2-'
        ...                         '80k_cityscapes-512x1024.py',
        ...                  checkpoint='deeplabv3_r101.pth'),
        ...     methods=dict(dual_head=dict(type='DualHead')))
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Build the student and make it a distiller too."""
        if cls is not Distiller:
            return super().__new__(cls)
        if kwargs.get('train_cfg', cls) is None:
            return build_model(student_dict(kwargs))
        check_arguments('model', cls, kwargs)
        given = inspect.signature(cls.__init__).bind(None, *args, **kwargs).arguments
        config = student_dict(given)
        identity = dict(student=text_of(config))
        check_class_weights(config, 'student')
        model: Any = build_model(config)
        check_padding(model)
        taken = {*OWN} & {*dir(model)} | {'forward', 'parse_losses'} & {*vars(model)}
        if taken:
            raise ValueError(
                f'the student {type(model).__name__} has an attribute {min(taken)!r}, '
                'which a distiller needs for itself: rename it in a subclass.'
            )
        kind: Any = type(model)
        model.__class__ = taught(Distiller, kind)
        model.identity = identity
        return model

    def __init__(
        self,
        student: str | dict[str, Any],
        teacher: dict[str, Any],
        methods: Mapping[str, dict[str, Any] | None],
        task_weight: float | None = None,
        num_classes: int | None = None,
        classifier: str | None = None,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        # The student is built, see __new__: its own __init__ has run.
        self.student_view = ModelView(self, classifier, 'student')
        with torch.random.fork_rng(devices=[]):
            self.teacher = build_part(
                TEACHERS,
                'teacher',
                {'type': 'FrozenTeacher', 'num_classes': num_classes, **teacher},
            )
            check_counterparts(self.student_view, self.teacher.view)
            self.teacher.match_inputs(self.data_preprocessor)
        # Random numbers drawn by the teacher do not affect the methods' weights.
        with torch.random.fork_rng(devices=[]):
            views = {'student': self.student_view, 'teacher': self.teacher.view}
            # Not the numbers that the student's weights are drawn from next.
            torch.default_generator.manual_seed(int(torch.randint(2**62, ())))
            built = {
                name: build_method(name, cfg, **views)
                for name, cfg in methods.items()
                if cfg
            }
            self.teacher.prepare(
                tap for method in built.values() for tap in method.taps_in_teacher
            )
        self.methods = nn.ModuleDict(built)
        self.identity |= dict(
            teacher=self.teacher.identity,
            methods=text_of({name: cfg for name, cfg in methods.items() if cfg}),
        )
        self._task_weight = agreed_weight(task_weight, built)
        self.identity['task_weight'] = text_of(float(self._task_weight))
        view = self.student_view
        LabelCheck(view.task, view.num_classes).watch(self.data_preprocessor)
        self._checked: set[str] = set()
        self._has_summed = False

    @property
    def named_methods(self) -> dict[str, Method]:
        """The methods by name."""
        return cast(dict[str, Method], dict(self.methods.items()))

    @property
    def gradient_alignment(self) -> bool:
        """Whether a method asks for the gradients to be aligned."""
        return any(m.gradient_alignment for m in self.named_methods.values())

    @property
    def compares_classes(self) -> bool:
        """Whether a method reads the teacher's class predictions."""
        taps = {t for m in self.named_methods.values() for t in m.taps_in_teacher}
        return not self.teacher.logits.isdisjoint(taps)

    @property
    def task_weight(self) -> float:
        """The current weight of the student's own loss."""
        naming = [
            method
            for method in self.named_methods.values()
            if method.task_weight is not None and method.weight > 0
        ]
        # PyTorch's compiler does not trace max(..., default=...).
        share = max([m.schedule_factor or 0.0 for m in naming] or [1.0])
        return share * self._task_weight + (1 - share)

    @contextmanager
    def standing_taps(self) -> Iterator[None]:
        """A context in which a compiler traces networks and methods as a whole."""
        methods = self.named_methods.values()
        taps = {tap for method in methods for tap in method.taps_in_student}
        teachers = {tap for method in methods for tap in method.taps_in_teacher}
        with StandingTaps(self, taps), self.teacher.standing_taps(teachers):
            yield

    def forward(
        self,
        inputs: Tensor,
        data_samples: Any = None,
        mode: str = 'tensor',
        **kwargs: Any,
    ) -> Any:
        """Losses of student and methods, or the student's own output.

        Args:
            inputs: Images ``(N, C, H, W)``.
            data_samples: The batch's annotations; needed for ``mode='loss'``.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.
            **kwargs: Further arguments of the student.

        Returns:
            For ``'loss'`` a dict of the student's own losses, as without
            distillation, and, as ``distill.<method>.<term>``, the weighted terms
            of the methods; otherwise what the student returns.
        """
        if mode != 'loss':
            return super().forward(inputs, data_samples, mode=mode, **kwargs)
        if data_samples is None:
            raise ValueError("mode='loss' needs data_samples")
        active = [method for method in self.named_methods.values() if method.is_active]
        taps = {tap for method in active for tap in method.taps_in_teacher}
        teacher_taps = self.teacher(inputs, taps, data_samples) if taps else {}
        taps = {tap for method in active for tap in method.taps_in_student}
        with capture(self, taps, image_size=inputs.shape[2:]) as student_taps:
            losses = super().forward(inputs, data_samples, mode='loss', **kwargs)
        self.teacher.wait_for(teacher_taps)
        targets = self.student_view.task.targets(data_samples)
        for name, method in self.named_methods.items():
            if not method.is_active:
                terms = idle_terms(method)
            else:
                terms = method.loss(student_taps, teacher_taps, targets)
                if name not in self._checked and not torch.compiler.is_compiling():
                    check_terms(name, method, terms, student_taps)
                    if torch.is_grad_enabled():
                        self._checked.add(name)
                terms = method.weighted(terms)
            losses.update({f'{PREFIX}{name}.{key}': v for key, v in terms.items()})
        return losses

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """Run the student's own training step.

        Raises:
            TypeError: If it bypasses the losses of the methods.
        """
        self._has_summed = False
        log_vars = super().train_step(data, optim_wrapper)
        if not self._has_summed:
            raise TypeError(
                f'{type(self).__name__}.train_step does not minimise the losses of the '
                "methods: it must call the model with mode='loss', and sum the losses "
                'with parse_losses.'
            )
        return log_vars

    def parse_losses(
        self, losses: dict[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum the losses; the result keeps task and distillation separate.

        Returns:
            The total, ``task_weight`` times the student's own loss plus the losses
            of the methods, from which :func:`mmkd.loss_groups.groups_of` recovers
            the two groups; and the log variables, including ``task_loss``, the
            student's own unweighted loss.
        """
        added = {key: v for key, v in losses.items() if key.startswith(PREFIX)}
        own = {key: v for key, v in losses.items() if key not in added}
        task, log_vars = super().parse_losses(own)
        weight, distillation, distillation_log = self.task_weight, None, {}
        if added:
            # The student's own parse_losses may only handle its own losses.
            distillation, distillation_log = BaseModel.parse_losses(self, added)
        active = any(method.is_active for method in self.named_methods.values())
        self._has_summed = not active or distillation is not None
        weighed = task if weight == 1 else weight * task
        total = sum_of_groups(LossGroups(weighed, distillation))
        log_vars = {**log_vars, 'task_loss': task, **distillation_log, 'loss': total}
        return total, log_vars

    def init_weights(self) -> None:
        """Initialise the student; methods are already initialised."""
        with student_alone(self):
            super().init_weights()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        self.teacher.apply(fn)
        return super()._apply(fn, recurse)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Copy and pickle by the classes it is made of: it is not importable."""
        function, args, *rest = super().__reduce_ex__(protocol)
        made_of = vars(type(self)).get('made_of')
        if made_of is not None:
            function, args = blank, made_of
        return function, args, *rest
