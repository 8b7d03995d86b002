"""The command ``mmkd``, which runs the programs of tools/ from the package."""

import ast
import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

import mmkd
from mmkd.nearest import nearest_and_known

TOOLS = Path(mmkd.__file__).parent / '.mim' / 'tools'

COMMANDS = {
    'demo': 'demo.py',
    'train': 'train.py',
    'test': 'test.py',
    'record': 'record.py',
    'compare': 'compare.py',
    'results': 'results.py',
    'report': 'report.py',
    'plot': 'plot_curves.py',
    'export': 'export_onnx.py',
    'profile': 'profile_student.py',
    'convert camvid': 'dataset_converters/camvid.py',
    'convert tiny-imagenet': 'dataset_converters/tiny_imagenet.py',
    'convert crd': 'model_converters/crd_to_mmkd.py',
    'analyse collapse': 'analysis/collapse.py',
    'analyse gradients': 'analysis/gradients.py',
    'analyse tsne': 'analysis/tsne.py',
}
"""Programs by the one or two words after ``mmkd``."""


def main() -> None:
    """Run the command in ``sys.argv``; each command parses the rest itself."""
    given = sys.argv[1:]
    if given == ['--version']:
        print(mmkd.__version__)
        return
    if not given or given[0] in ('-h', '--help'):
        print(overview(COMMANDS))
        return
    group = [name for name in COMMANDS if name.startswith(f'{given[0]} ')]
    if group and (not given[1:] or given[1] in ('-h', '--help')):
        print(overview(group))
        return
    words = 2 if group else 1
    name, rest = ' '.join(given[:words]), given[words:]
    if name not in COMMANDS:
        known = nearest_and_known(name, group or COMMANDS)
        print(f'mmkd: there is no command {name!r}.{known}', file=sys.stderr)
        raise SystemExit(2)
    sys.argv = [f'mmkd {name}', *rest]
    run(TOOLS / COMMANDS[name])


def run(program: Path) -> None:
    """Run a program as ``python PROGRAM`` does, but with the name in ``sys.argv``.

    Args:
        program: Path of the program.
    """
    # runpy would replace the command as typed by the file name.
    module = ModuleType('__main__')
    module.__file__ = str(program)
    sys.modules['__main__'] = module
    exec(compile(program.read_bytes(), program, 'exec'), module.__dict__)


def overview(names: Collection[str]) -> str:
    """List commands and what each does.

    Args:
        names: Some of :data:`COMMANDS`.
    """
    width = max(map(len, names))
    lines = [f'  {name:{width}}  {purpose(name)}' for name in names]
    usage = 'usage: mmkd COMMAND ..., or mmkd COMMAND --help, or mmkd --version'
    return '\n'.join([usage, '', *lines])


def purpose(name: str) -> str:
    """What a command does, in one line, without importing its dependencies.

    Args:
        name: One of :data:`COMMANDS`.
    """
    program = ast.parse((TOOLS / COMMANDS[name]).read_text(encoding='utf-8'))
    return (ast.get_docstring(program) or '').partition('\n')[0]
