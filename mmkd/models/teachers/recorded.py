"""The recorded teacher: its outputs were stored earlier and are read."""

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmkd.arguments import check_arguments
from mmkd.checkpoints.identity import BEGINNING, hash_of_local, without
from mmkd.models.build import build_model, model_dict
from mmkd.models.class_names import both, keys
from mmkd.models.discovery import OUTPUT, ModelView
from mmkd.models.taps import Tap, find_module
from mmkd.models.teachers.base import Teacher
from mmkd.models.teachers.frozen import FrozenTeacher
from mmkd.models.teachers.recorded_samples import FIELD, stacked
from mmkd.models.teachers.undrawn import Undrawn
from mmkd.nearest import listed
from mmkd.records import RecordError, Rows, read_manifest
from mmkd.records.manifest import told
from mmkd.registry import TEACHERS

SETTINGS = ('num_classes', 'classifier', 'classes')
"""Settings of a teacher's config about its classes, None where it has none."""

RUNNING = ('fold', 'channels_last', 'dtype', 'compile', 'stream')
"""Settings that control how a teacher runs alongside the student."""


@TEACHERS.register_module()
class RecordedTeacher(Teacher):
    """A teacher whose taps ``mmkd record`` has stored, for views that are repeated.

    Its weights are not loaded unless it runs live for taps that were not recorded:
    then a :class:`FrozenTeacher` runs alongside the student, only for those.
    The data loader's workers read the record with the images and store it in
    ``data_samples``; :class:`mmkd.engine.PrepareMethodsHook` sets this up.

    Args:
        record: The folder that ``mmkd record`` has written.
        config: The teacher's model dict or config path; None for the record's.
        checkpoint: The teacher's checkpoint. If the file exists, it must be the one
            that was recorded.
        live: Whether to run the teacher for taps that were not recorded; a dict sets
            how, with the :data:`RUNNING` arguments of :class:`FrozenTeacher`.
        num_classes: As in :class:`FrozenTeacher`.
        classifier: As in :class:`FrozenTeacher`.
        classes: As in :class:`FrozenTeacher`.

    Attributes:
        manifest: Describes what was recorded.
        rows: Reads the record.
        needed: The names of the recorded taps that methods need.

    Raises:
        RecordError: If there is no record, it is incomplete, or its teacher is not
            that of the arguments; the message names the field and both values.
    """

    def __init__(
        self,
        record: str,
        config: str | dict[str, Any] | None = None,
        checkpoint: str | None = None,
        live: bool | dict[str, Any] = False,
        num_classes: int | None = None,
        classifier: str | None = None,
        classes: str | Sequence[str | int] | None = None,
    ) -> None:
        self.manifest = manifest = read_manifest(record)
        self.rows = Rows(record, manifest)
        self.rows.check()
        known = manifest.teacher
        settings: dict[str, Any] = dict(
            num_classes=num_classes, classifier=classifier, classes=classes
        )
        there = {'settings': known['settings']}
        here: dict[str, Any] = {'settings': settings}
        if config is not None:
            there['config'], here['config'] = known['config'], plain_model(config)
        recorded, own = known['checkpoint']['sha256'], hash_of_local(checkpoint)
        if recorded is not None and own is not None:
            there['checkpoint'], here['checkpoint'] = recorded, own
        wrong = told(there, here, 'teacher')
        if recorded is None and own is not None and not wrong:
            # It was recorded from a URL: only its weights are known.
            weights = FrozenTeacher(known['config'], checkpoint, **settings).identity
            wrong = told(known['weights'], weights, 'teacher.weights')
        if wrong:
            raise RecordError(
                f'the record {record!r} is of another teacher: '
                f'{listed(wrong, 3, "; ")}. Name the one that was recorded, or record '
                'this one.'
            )
        self.identity = manifest.identity
        self.view = _view(known, known['config'] if config is None else config)
        self.classes = _RecordedClasses(known['classes'])
        self.needed: list[str] = []
        self._live: FrozenTeacher | None = None
        self._arguments: dict[str, Any] = dict(
            settings, config=known['config'], checkpoint=checkpoint
        )
        self._may_run = live is not False
        if isinstance(live, dict):
            check_arguments('teacher.live', FrozenTeacher, live, self._arguments)
            self._arguments |= live
        self._preprocessor: Any = None

    def match_inputs(self, preprocessor: Any) -> None:
        """Remember the preprocessor; recording has used the right inputs already.

        Args:
            preprocessor: The student's data preprocessor.
        """
        self._preprocessor = preprocessor

    def prepare(self, taps: Iterable[Tap]) -> None:
        """Check that everything that will be captured was recorded.

        Args:
            taps: The taps of all methods.

        Raises:
            RecordError: If a tap was not recorded and the teacher may not run for it,
                or is a different one.
        """
        stored = {tap.name for tap in self.manifest.taps}
        taps = list(taps)
        self.needed = sorted({tap_name(tap) for tap in taps} & stored)
        missing = {tap for tap in taps if tap_name(tap) not in stored}
        if not missing:
            return
        names = listed(sorted(map(tap_name, missing)), 3)
        if not self._may_run:
            raise RecordError(
                f'{str(self.rows.folder)!r} does not hold {names}, which a method '
                f'needs; it holds {listed(sorted(stored), 3)}. Record with the methods '
                'you want to train, or pass --teacher too: the teacher then runs '
                'alongside the student for what was not recorded.'
            )
        self._live = FrozenTeacher(**self._arguments)
        if self._live.identity != self.manifest.teacher['weights']:
            raise RecordError(
                f'{self._arguments["checkpoint"]!r} has other weights than the teacher '
                f'recorded in {str(self.rows.folder)!r} (teacher.weights).'
            )
        self._live.match_inputs(self._preprocessor)
        if not self._live.logits.isdisjoint(missing):
            # The training set's, which are compared with these, are not known yet.
            self._live.classes.match(self.manifest.teacher['classes'])
        self._live.prepare(missing)

    def __call__(
        self,
        inputs: Tensor,
        taps: Iterable[Tap],
        data_samples: Sequence[BaseDataElement] = (),
    ) -> dict[Tap, Tensor]:
        """Return what was recorded for the views in a batch.

        Args:
            inputs: Images ``(N, C, H, W)`` as the student gets them.
            taps: What to read.
            data_samples: The images' annotations, with what was read from the record.

        Returns:
            What the taps captured, in the images' dtype.

        Raises:
            RecordError: If the images differ in size from the recorded ones, or
                nothing was read for them.
        """
        shape = list(inputs.shape[1:])
        if shape != self.manifest.inputs['shape']:
            raise RecordError(
                f'inputs.shape is {self.manifest.inputs["shape"]} in the record and '
                f'{shape} here: images are padded to the largest of a batch. Set '
                'data_preprocessor.size to the size of the crops, and record again.'
            )
        read = [sample.get(FIELD) for sample in data_samples]
        if not read or None in read:
            raise RecordError(
                'nothing was read from the record for this batch: default_hooks must '
                "contain dict(type='mmkd.PrepareMethodsHook'), and the training loop "
                "must be one of mmkd's, as `mmkd train` sets it."
            )
        taps = set(taps)
        with torch.autocast(inputs.device.type, enabled=False):
            values = {
                tap: stored.decode(stacked(read, stored, number)).to(inputs.dtype)
                for number, stored in enumerate(self.manifest.taps)
                for tap in taps
                if tap_name(tap) == stored.name
            }
        if self._live is not None:
            values |= self._live(inputs, taps - values.keys(), data_samples)
        return values

    def wait_for(self, values: Mapping[Tap, Tensor]) -> None:
        """Make captured tensors safe to read from here on.

        Args:
            values: What a call returned.
        """
        if self._live is not None:
            self._live.wait_for(values)

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Move or cast the weights of the live teacher."""
        if self._live is not None:
            self._live.apply(fn)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy shares the record, and the weights of the live teacher."""
        shared = super().__deepcopy__(memo)
        shared._live = copy.deepcopy(self._live)
        return shared


class _RecordedClasses:
    """The order of classes in a record: that of the training set when recording."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self.names = names
        self.order = "that of the record, which names no classes"

    def match(self, names: Sequence[object] | None) -> None:
        """Compare it with the training set's.

        Args:
            names: The training set's classes; None if it names none.

        Raises:
            RecordError: If they are different, or in a different order.
        """
        if self.names is None or not names:
            return
        own = [str(name) for name in names]
        mine, theirs = keys(own, self.names)
        if mine != theirs:
            raise RecordError(
                f'teacher.classes: {both(own, self.names)} Record again with this '
                'training set.'
            )
        self.order = "that of the record: the training set's"


def tap_name(tap: Tap) -> str:
    """The name of a tap in a record."""
    return f'{tap.kind} of {tap}'


def plain_model(config: str | dict[str, Any]) -> dict[str, Any]:
    """A model's config as stored in a manifest, without its initial weights."""
    plain = without(model_dict(config), BEGINNING)
    return dict(json.loads(json.dumps(plain, default=str)))


def _view(known: Mapping[str, Any], config: str | dict[str, Any]) -> ModelView:
    """A view of a teacher's layers and widths that keeps no weights."""
    settings = known['settings']
    with Undrawn():
        model = build_model(config, settings['num_classes'])
    model.eval().requires_grad_(False)
    view = ModelView(model, settings['classifier'], 'teacher')
    # Both run the model, which is not possible without weights.
    view.shape(OUTPUT)
    if settings['classifier'] is not None:
        find_module(model, view.classifier)
    view.num_classes = known['num_classes']
    view.class_names = known['classes']
    model.to('meta')
    return view
