from unittest import mock

from mmengine.config import Config
from torch import nn

from mmkd.checks import warn_of_idle_keys


def test_keys_that_no_parameter_has() -> None:
    model = nn.Sequential()
    model.add_module('backbone', nn.Linear(2, 2))
    model.add_module('decode_head', nn.Linear(2, 2))

    def warned(*keys: str) -> str:
        groups = dict(custom_keys={key: dict(lr_mult=0.1) for key in keys})
        cfg = Config(dict(optim_wrapper=dict(paramwise_cfg=groups)))
        with mock.patch('mmkd.checks.groups.print_log') as log:
            warn_of_idle_keys(cfg, model)
        return log.call_args.args[0] if log.called else ''

    assert warned('backbone', '.decode_head', 'head.bias') == ''
    text = warned('backbone', 'decode_hed', 'norm')
    assert "'decode_hed' Did you mean 'decode_head'?, 'norm'" in text
    assert "'backbone'" not in text
    assert warned() == ''
    warn_of_idle_keys(Config(dict(optim_wrapper=dict(paramwise_cfg=None))), model)
    warn_of_idle_keys(Config({}), model)
