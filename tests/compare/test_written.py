import json
import re
import shlex
from pathlib import Path

import pytest
from made_runs import made_run

from mmkd.compare.lines import Results
from mmkd.compare.saved import line
from mmkd.compare.written import render
from mmkd.runs import read_run
from mmkd.runs.training import Training
from mmkd.spread import NOTHING

DECLARED = """<!-- results
file: runs.jsonl
score: mIoU
rows:
  student alone: {method: none}
  KD: {method: kd}
baseline: student alone
-->
"""
END = '<!-- end of results -->\n'
TEXT = f'# Title\n\n{DECLARED}| old | 1 |\n{END}\nProse.\n'
SCORES = {'none': (40.0, 42.0, 41.0), 'kd': (42.0, 43.5, 43.5)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lines as a comparison writes them."""
    found = []
    for name, scores in SCORES.items():
        for seed, score in enumerate(scores):
            work = tmp_path / f'{name}_{seed}'
            made_run(work, {50: 60.0, 100: score}, None, seed)
            options = ['--cfg-options', f'randomness.seed={seed}', "a='b c'"]
            command = ('/clone/tools/train.py', 'pair', '--method', name, *options)
            run = Training(name, seed, command, work)
            found.append(line(run, read_run(work), 'mIoU'))
    lines = tmp_path / 'lines'
    lines.mkdir()
    (lines / 'runs.jsonl').write_text(''.join(f'{json.dumps(x)}\n' for x in found))
    return lines


def test_the_lines_of_a_comparison_are_a_table(folder: Path) -> None:
    text = render(TEXT, Results(folder))
    assert text.startswith(f'# Title\n\n{DECLARED}\n|  | seeds | mIoU, last |')
    assert text.endswith(f'</details>\n\n{END}\nProse.\n')
    assert 'old' not in text
    rows = [row.split(' | ') for row in text.splitlines() if row.startswith('| ')]
    alone, kd = rows[2:]
    assert alone[2:5] == ['41.00 ± 1.00', '40.00, 42.00, 41.00', NOTHING]
    assert (kd[0], kd[2], kd[4]) == ('| KD', '43.00 ± 0.87', '2.00 [0.76, 3.24]')
    assert 'over student alone [95 %]' in text


def test_size_and_latency_are_those_of_the_network(folder: Path) -> None:
    networks = [
        dict(network=name, forms=[dict(runtime='int8', megabytes=mb, ms_median=ms)])
        for name, mb, ms in (('teacher', 4.0, 2.5), ('student', 1.234, 0.5))
    ]
    (folder / 'worth.json').write_text(json.dumps(dict(networks=networks)))
    runs = (folder / 'runs.jsonl').read_text()
    teacher = json.dumps(dict(method='teacher', seed=0, last=60.0, command=['a']))
    (folder / 'runs.jsonl').write_text(f'{runs}{teacher}\n')
    wanted = 'columns: [mean, megabytes, ms_median]\ndeployed: {file: worth.json, '
    declared = DECLARED.replace('rows:', 'rows:\n  teacher: {method: teacher}')
    declared = declared.replace('-->', wanted + 'runtime: int8}\n-->')
    text = render(declared + END, Results(folder))
    assert '|  | mIoU, last | MB | ms per image |\n' in text
    assert '| teacher | 60.00 | 4.00 | 2.50 |\n' in text
    assert '| KD | 43.00 ± 0.87 | 1.23 | 0.50 |\n' in text

    for wrong, message in (
        (declared.replace('int8', 'int4'), "worth.json has no 'int4', only int8"),
        (declared.replace('worth', 'worse'), 'there is no worse.json'),
    ):
        with pytest.raises(ValueError, match=message):
            render(wrong + END, Results(folder))


def test_commands_can_be_copied(folder: Path) -> None:
    text = render(TEXT, Results(folder))
    [block] = re.findall(r'```bash\n(.*?)```', text, re.DOTALL)
    lines = block.replace('\\\n', ' ').splitlines()
    assert lines[::2] == ['# student alone', '# KD']
    assert shlex.split(lines[3]) == [
        *('python', 'tools/train.py', 'pair', '--method', 'kd'),
        *('--cfg-options', 'randomness.seed=0', "a='b c'"),
    ]


def test_a_second_time_changes_nothing(folder: Path) -> None:
    text = render(TEXT, Results(folder))
    assert render(text, Results(folder)) == text


def test_what_no_run_has_left_is_marked(folder: Path) -> None:
    path = folder / 'runs.jsonl'
    lines = [json.loads(each) for each in path.read_text().splitlines()]
    lines[-1]['source'] = 'Read from a photograph.'
    path.write_text(''.join(f'{json.dumps(each)}\n' for each in lines))
    text = render(TEXT, Results(folder))
    assert '| KD<sup>1</sup> |' in text
    assert '\n<sup>1</sup> Read from a photograph.\n' in text
    bare = render(TEXT.replace('-->\n', 'notes: false\n-->\n', 1), Results(folder))
    assert '| KD |' in bare
    assert 'photograph' not in bare
    assert 'bash' not in bare


def test_columns_that_are_asked_for(folder: Path) -> None:
    asked = TEXT.replace('-->\n', 'columns: [step_ms, mean]\ndigits: 1\n-->\n', 1)
    text = render(asked, Results(folder))
    assert '|  | ms per step | mIoU, last |\n' in text
    assert '| 41.0 ± 1.0 |\n' in text


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('KD: {method: kd}', 'KD: {method: dkd}', "'KD' has no line"),
        ('score:', 'scores:', "unexpected keyword argument 'scores'"),
        ('baseline: student', 'baseline: teacher', 'is not one of the rows'),
        ('rows:', 'rows: [', 'expected'),
        ('file: runs', 'file: run', r'there is no run\.jsonl'),
    ],
)
def test_a_mistake_is_named_with_its_table(
    folder: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ValueError, match=f'(?s){message}.*in the table of'):
        render(TEXT.replace(old, new), Results(folder))


@pytest.mark.parametrize('missing', [END, '-->\n'])
def test_a_table_without_an_end_takes_no_other_text(folder: Path, missing: str) -> None:
    text = TEXT.replace(missing, '', 1) + TEXT
    with pytest.raises(ValueError, match='2 tables begin, but 1 end'):
        render(text, Results(folder))


def test_deployed_networks_are_a_table_too(folder: Path) -> None:
    form = dict(runtime='onnxruntime', megabytes=2.0, scores={'mIoU': 51.25})
    form |= dict(ms_median=4.0, ms_95=5.0, ms_processor=3.9)
    student = dict(network='student', parameters=1000, multiply_adds=None, forms=[form])
    found = dict(networks=[student], command=['tools/profile_student.py', 'a.py'])
    (folder / 'worth.json').write_text(json.dumps(found))
    declared = f'<!-- results\nprofile: worth.json\n-->\nold\n{END}'
    text = render(declared, Results(folder))
    assert '| student |      1,000 |' in text
    assert '|       4.00 |     5.00 |         3.90 | 51.25 |' in text
    assert '```text\npython tools/profile_student.py a.py\n```' in text
    assert 'old' not in text
    with pytest.raises(ValueError, match=r'there is no other\.json, in the table of'):
        render(declared.replace('worth', 'other'), Results(folder))


def test_settings_that_were_tried(folder: Path) -> None:
    tried = {
        'kd': dict(
            chosen={'optim.lr': '0.1', 'kd.weight': '2'},
            tried={
                'optim.lr=0.1 kd.weight=2': 41.0,
                'optim.lr=0.3 kd.weight=2': None,
            },
        ),
        'a+b': dict(
            chosen={'a.weight': '1', 'b.weight': '3'},
            tried={'a.weight=1 b.weight=3': 42.126, 'a.weight=2 b.weight=3': 40.0},
        ),
    }
    (folder / 'tuned.json').write_text(json.dumps(tried))
    declared = f'<!-- results\ntuned: tuned.json\nscore: mIoU\n-->\nold\n{END}'
    text = render(declared, Results(folder))
    assert 'old' not in text
    kd = '**lr 0.1, weight 2: 41.00**<br>lr 0.3, weight 2: failed'
    assert f'| `kd` | {kd} |\n' in text
    both = '**a.weight 1, b.weight 3: 42.13**<br>a.weight 2, b.weight 3: 40.00'
    assert f'| `a+b` | {both} |\n' in text
