"""The frozen teacher: built, loaded, checked, and run without gradient."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import chain
from typing import Any, Literal

import torch
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmkd.checkpoints.identity import fingerprint
from mmkd.models.build import build_model, model_dict
from mmkd.models.discovery import LAYERS, OUTPUT, ModelView
from mmkd.models.layout import lay_channels_last
from mmkd.models.probing import look
from mmkd.models.standing_taps import StandingTaps
from mmkd.models.taps import Tap, capture
from mmkd.models.teachers.base import Teacher
from mmkd.models.teachers.classes import TeacherClasses
from mmkd.models.teachers.compiled import Run, compile_taps
from mmkd.models.teachers.folding import fold_batch_norms
from mmkd.models.teachers.loading import HOW_TO_PASS, load_weights
from mmkd.models.teachers.normalisation import Renormalise
from mmkd.models.teachers.side_stream import SideStream
from mmkd.models.teachers.undrawn import Undrawn
from mmkd.registry import TEACHERS


@TEACHERS.register_module()
class FrozenTeacher(Teacher):
    """A teacher that only runs forward passes.

    Args:
        config: The teacher's model dict or config path.
        checkpoint: File, URL or any other scheme of MMEngine's
            ``CheckpointLoader``. Read with ``weights_only=True``.
        num_classes: If given, overrides the class count of the config.
        classifier: Path of the main classifier, to override discovery.
        classes: Overrides the order of its classes, if the names in the checkpoint
            do not determine it; see :class:`TeacherClasses`.
        fold: Whether to fold BatchNorms into the convolutions before them, see
            :func:`fold_batch_norms`.
        channels_last: Whether to store its weights in channels-last format, if it
            can run with it; see :func:`lay_channels_last`.
        dtype: The precision in which its convolutions and linear layers are stored
            and run, with the rest as in automatic mixed precision; None for that of
            the training.
        compile: Whether to compile it with :func:`torch.compile`, or the arguments.
        stream: Whether to run it on its own stream, alongside the student, on a GPU.

    Attributes:
        identity: The fingerprint of its weights.
        classes: The order of its classes.
        preprocesses: Whether its config says how to normalise images.

    Raises:
        ValueError: If there is no checkpoint, it does not fit the model, or its
            weights are not finite.
        OSError: If the checkpoint cannot be reached.
    """

    def __init__(
        self,
        config: str | dict[str, Any],
        checkpoint: str | None = None,
        num_classes: int | None = None,
        classifier: str | None = None,
        classes: str | Sequence[str | int] | None = None,
        fold: bool = True,
        channels_last: bool = True,
        dtype: Literal['float32', 'bfloat16', 'float16'] | None = None,
        compile: bool | dict[str, Any] = False,
        stream: bool = False,
    ) -> None:
        if not checkpoint:
            raise ValueError(f'the teacher has no checkpoint. {HOW_TO_PASS}')
        config = model_dict(config)
        with Undrawn():
            model = build_model(config, num_classes)
        names = load_weights(model, checkpoint)
        self.identity = fingerprint(model.state_dict())
        self.preprocesses = config.get('data_preprocessor') is not None
        self.model = revert_sync_batchnorm(model).eval().requires_grad_(False)
        self.view = ModelView(self.model, classifier, 'teacher')
        self.classes = TeacherClasses(self.view, names, classes)
        self.fold, self.channels_last = fold, channels_last
        self.dtype = None if dtype is None else getattr(torch, dtype)
        self.compile = {} if compile is True else compile
        self._prepared: frozenset[Tap] | None = None
        self._compiled: Run | None = None
        self._renormalise: Renormalise | None = None
        self._stream = SideStream() if stream else None

    def match_inputs(self, preprocessor: Any) -> None:
        """Give the teacher the kind of input it was trained on.

        A teacher whose config has no data preprocessor is assumed to have
        been trained with the student's. If the student's preprocessor
        normalises differently from the teacher's own (mean, std or channel
        order), input images are converted. Padding that was added
        after the student's normalisation is converted like image content.

        Args:
            preprocessor: The student's data preprocessor.
        """
        if self.preprocesses:
            own, channels = self.model.data_preprocessor, self.view.in_channels
            self._renormalise = Renormalise(preprocessor, own, channels)

    def prepare(self, taps: Iterable[Tap]) -> None:
        """Make it as fast as these taps allow; no others can be captured afterwards.

        Args:
            taps: Everything that will ever be captured.
        """
        self._prepared = frozenset(taps)
        if not self._prepared:
            return
        size, born = self.view.trace.image_size, self.view.born
        run: Callable[[], Any] = partial(look, self.model, size, [OUTPUT], born)
        if self.fold:
            run = partial(fold_batch_norms, self.model, size, self._prepared, born)
        laid = self.channels_last and lay_channels_last(self.model, run, in_place=True)
        if self.channels_last and not laid:
            print_log(
                f'With channels-last weights, {self.view.name} does not run: they keep '
                'their layout.',
                logger='current',
            )
        if self.fold and not laid:
            run()
        if self.dtype is not None:
            for module in self.model.modules():
                if isinstance(module, LAYERS):
                    module.to(self.dtype)

    @torch.no_grad()
    def __call__(
        self,
        inputs: Tensor,
        taps: Iterable[Tap],
        data_samples: Sequence[BaseDataElement] = (),
    ) -> dict[Tap, Tensor]:
        """Run the teacher up to the deepest tap.

        Args:
            inputs: Images ``(N, C, H, W)`` as the student gets them.
            taps: What to capture.
            data_samples: Not used.

        Returns:
            The captured tensors, without gradient; class predictions in the
            order of the student's classes. Read them only after :meth:`wait_for`.

        Raises:
            ValueError: If the taps include class predictions that cannot be compared
                with a student's, or a tap that :meth:`prepare` did not get.
        """
        taps = set(taps)
        if self._prepared is not None and not taps <= self._prepared:
            raise ValueError(
                f'{min(map(str, taps - self._prepared))} of the teacher is captured by '
                'no method and may therefore have been folded away: '
                'teacher=dict(fold=False) keeps every module as it was.'
            )
        with nullcontext() if self._stream is None else self._stream.beside(inputs):
            values = self._captured(self._converted(inputs), taps)
            if self.classes.channels is not None or self.view.refused:
                for tap in self.logits & values.keys():
                    values[tap] = self.classes.select(values[tap])
        return values

    def wait_for(self, values: Mapping[Tap, Tensor]) -> None:
        """Make captured tensors safe to read from here on.

        Args:
            values: What a call returned.
        """
        if self._stream is not None:
            self._stream.join(values.values())

    def standing_taps(self, taps: Iterable[Tap]) -> AbstractContextManager[Any]:
        """A context in which a compiler traces its network as a whole.

        Args:
            taps: Everything that will be captured inside.
        """
        if self.compile is not False:
            return super().standing_taps(taps)
        return StandingTaps(self.model, taps)

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement]
    ) -> Sequence[BaseDataElement]:
        """Predict as a standalone model.

        Args:
            inputs: Images ``(N, C, H, W)`` as the student gets them.
            data_samples: Their annotations.

        Returns:
            The annotations with predictions, in the teacher's classes.
        """
        with self._precision(inputs):
            return self.model(self._converted(inputs), data_samples, mode='predict')

    def _converted(self, inputs: Tensor) -> Tensor:
        return inputs if self._renormalise is None else self._renormalise(inputs)

    def _captured(self, inputs: Tensor, taps: set[Tap]) -> dict[Tap, Tensor]:
        with self._precision(inputs):
            if self.compile is not False and self._prepared:
                captured = self._run_compiled(inputs)
                values = {tap: captured[tap] for tap in taps}
            else:
                with capture(
                    self.model, taps, stop_when_filled=True, image_size=inputs.shape[2:]
                ) as values:
                    self.model(inputs, mode='tensor')
        if self.dtype is None or torch.is_autocast_enabled(inputs.device.type):
            return values
        # Methods run in the training's precision only.
        return {tap: value.to(inputs.dtype) for tap, value in values.items()}

    def _run_compiled(self, inputs: Tensor) -> dict[Tap, Tensor]:
        assert self._prepared is not None
        assert self.compile is not False
        if self._compiled is None:
            self._compiled = compile_taps(self.model, self._prepared, self.compile)
        return self._compiled(inputs)

    def _precision(self, inputs: Tensor) -> Any:
        if self.dtype is None:
            return nullcontext()
        half = self.dtype != torch.float32
        return torch.autocast(
            inputs.device.type, self.dtype if half else None, enabled=half
        )

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Move or cast the weights, as ``nn.Module._apply`` does.

        A copy gets weights of its own if they move: those that it shares stay.
        """
        if self.is_shared:
            tensors = chain(self.model.parameters(), self.model.buffers())
            if all(fn(tensor) is tensor for tensor in tensors):
                return
            mine = self.view, self.classes, self._renormalise
            self.view, self.classes, self._renormalise = copy.deepcopy(mine)
            self.model = self.view.model
            self._stream = None if self._stream is None else SideStream()
            self._compiled, self.is_shared = None, False
        self.model._apply(fn)
        self.classes.apply(fn)
        if self._renormalise is not None:
            self._renormalise.apply(fn)

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: compiled code is not, but made again."""
        return {**vars(self), '_compiled': None}
