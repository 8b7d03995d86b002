"""Every method of mmkd in a tiny distiller of each task that it is for."""

from typing import Any

import torch
from tiny_models import TASKS, Noise

from mmkd.registry import METHODS

METHODS_OF = [
    (task, name)
    for name, method in sorted(METHODS.module_dict.items())
    for task in TASKS
    if method.only_for in (None, task)
]
# A BatchNorm over the few positions that strides leave here magnifies any rounding.
TRAINED = dict(
    MultiHead=dict(stages=(0, 1), head=dict(type='ConvClassifier', stride=1))
)


def ready(tiny: Any, task: str, *names: str, **settings: Any) -> tuple[Any, Any]:
    """A distiller with methods that know their training set, and a batch."""
    methods = {name: dict(type=name, **TRAINED.get(name, {})) for name in names}
    model = tiny.distiller(task, methods, **settings).train()
    data = model.data_preprocessor(tiny.batch(task), training=True)
    for number, sample in enumerate(data['data_samples']):
        sample.set_metainfo(dict(sample_idx=number))
    for method in model.methods.values():
        method.prepare(Noise(tiny.batch(task, count=8)))
    torch.manual_seed(0)
    return model, data
