"""The recorded teacher: what it said was stored before, and is read."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmkd.arguments import check_arguments
from mmkd.checkpoints.identity import BEGINNING, file_hash, without
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
"""What a teacher's config says of its classes, with None for what it does not."""

RUNNING = ('fold', 'channels_last', 'dtype', 'compile', 'stream')
"""What it says of how a teacher runs beside the student."""


@TEACHERS.register_module()
class RecordedTeacher(Teacher):
    """A teacher whose taps ``mmkd record`` has stored, for views that come again.

    No weight of it is loaded, unless it is to run live for taps that were not recorded:
    then a :class:`FrozenTeacher` runs beside the student, for those alone.
    What was recorded is read with the images, by the data loader's workers, and lies in
    ``data_samples``; :class:`mmkd.engine.PrepareMethodsHook` sees to it.

    Args:
        record: The folder that ``mmkd record`` has written.
        config: The teacher's model dict or config path; the record's if it is None.
        checkpoint: The teacher's checkpoint: where it is there, it must be the one that
            was recorded.
        live: Whether it runs for taps that were not recorded; a dict is how, with
            :data:`RUNNING` arguments of :class:`FrozenTeacher`.
        num_classes: As of :class:`FrozenTeacher`.
        classifier: As of :class:`FrozenTeacher`.
        classes: As of :class:`FrozenTeacher`.

    Attributes:
        manifest: What the record is of.
        rows: What reads it.
        needed: The names of the recorded taps that methods ask for.

    Raises:
        RecordError: If there is no record, it is not whole, or of another teacher than
            the arguments tell; the message names the field and both values.
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
        settings = dict(num_classes=num_classes, classifier=classifier, classes=classes)
        there = {'settings': known['settings']}
        here: dict[str, Any] = {'settings': settings}
        if config is not None:
            there['config'], here['config'] = known['config'], plain_model(config)
        if checkpoint is not None and Path(checkpoint).is_file():
            # Of what was read by URL no file's hash is known.
            there['checkpoint'] = known['checkpoint']['sha256']
            here['checkpoint'] = there['checkpoint'] and file_hash(checkpoint)
        wrong = told(there, here, 'teacher')
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
        """Remember it: what was recorded was fed as it should be.

        Args:
            preprocessor: The student's data preprocessor.
        """
        self._preprocessor = preprocessor

    def prepare(self, taps: Iterable[Tap]) -> None:
        """Look whether all that will be captured was recorded.

        Args:
            taps: The taps of all methods.

        Raises:
            RecordError: If something was not, and the teacher is not to run for it, or
                is another one.
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
                f'{str(self.rows.folder)!r} does not hold {names}, and a method needs '
                f'it; it holds {listed(sorted(stored), 3)}. Record with the methods '
                'that are to be trained, or pass --teacher too: the teacher then runs '
                'beside the student for what was not recorded.'
            )
        self._live = FrozenTeacher(**self._arguments)
        if self._live.identity != self.manifest.teacher['weights']:
            raise RecordError(
                f'{self._arguments["checkpoint"]!r} has other weights than the teacher '
                f'that {str(self.rows.folder)!r} is of (teacher.weights).'
            )
        self._live.match_inputs(self._preprocessor)
        self._live.prepare(missing)

    def __call__(
        self,
        inputs: Tensor,
        taps: Iterable[Tap],
        data_samples: Sequence[BaseDataElement] = (),
    ) -> dict[Tap, Tensor]:
        """What was recorded of the views in a batch.

        Args:
            inputs: Images ``(N, C, H, W)`` as the student gets them.
            taps: What to read.
            data_samples: The images' annotations, with what was read of the record.

        Returns:
            What the taps captured, of the images' type.

        Raises:
            RecordError: If the images have another size than the recorded ones, or
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
                'nothing was read of the record for this batch: default_hooks must '
                "have dict(type='mmkd.PrepareMethodsHook'), and the training loop be "
                'one of mmkd, which `mmkd train` sees to.'
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
        """Say that captured tensors are read from here on.

        Args:
            values: What a call returned.
        """
        if self._live is not None:
            self._live.wait_for(values)

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Move or cast the weights of what runs live."""
        if self._live is not None:
            self._live.apply(fn)


class _RecordedClasses:
    """The order of classes in a record: that of the training set of then."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self.names = names
        self.order = "that of the record, which names no classes"

    def match(self, names: Sequence[object] | None) -> None:
        """Compare it with the training set's.

        Args:
            names: The training set's classes; None if it names none.

        Raises:
            RecordError: If they are others, or in another order.
        """
        if self.names is None or not names:
            return
        own = [str(name) for name in names]
        mine, theirs = keys(own, self.names)
        if mine != theirs:
            raise RecordError(
                f'teacher.classes: {both(own, self.names)} Record again, with this '
                'training set.'
            )
        self.order = "that of the record: the training set's"


def tap_name(tap: Tap) -> str:
    """How a record names a tap."""
    return f'{tap.kind} of {tap}'


def plain_model(config: str | dict[str, Any]) -> dict[str, Any]:
    """A model's config as a manifest holds it, without its first weights."""
    plain = without(model_dict(config), BEGINNING)
    return dict(json.loads(json.dumps(plain, default=str)))


def _view(known: Mapping[str, Any], config: str | dict[str, Any]) -> ModelView:
    """Places and widths of a teacher, of which no weights are kept."""
    settings = known['settings']
    with Undrawn():
        model = build_model(config, settings['num_classes'])
    model.eval().requires_grad_(False)
    view = ModelView(model, settings['classifier'], 'teacher')
    # Both run the model, which cannot be done without weights.
    view.shape(OUTPUT)
    if settings['classifier'] is not None:
        find_module(model, view.classifier)
    view.num_classes = known['num_classes']
    view.class_names = known['classes']
    model.to('meta')
    return view
