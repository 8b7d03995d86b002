import json
from pathlib import Path

import pytest

from mmkd.compare.lines import NOT_RECORDED, Results, Row
from mmkd.spread import NOTHING


def line(method: str, seed: int, last: object, **more: object) -> dict[str, object]:
    return dict(method=method, seed=seed, last=last, command=['make', method], **more)


LINES = [
    line('kd', 2, 43.5, minutes=1.0),
    line('none', 0, 40.0, minutes=None),
    line('kd', 0, 42.0, minutes=2.0),
    line('kd', 1, 43.5, minutes=3.0),
    line('none', 1, 42.0, minutes=1.0),
    line('none', 2, 41.0, minutes=1.0),
    line('kd', 0, 50.0, weight=2.0),
]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    text = ''.join(f'{json.dumps(each)}\n' for each in LINES)
    (tmp_path / 'runs.jsonl').write_text(text)
    return Results(tmp_path)


def rows(results: Results, **wanted: dict[str, object]) -> list[Row]:
    return list(results.rows('runs.jsonl', wanted))


def test_cells_are_of_the_lines(results: Results) -> None:
    """Differences 2, 1.5, 2.5 by seed: mean 2, deviation 0.5, t 4.303."""
    alone, kd = rows(
        results, alone=dict(method='none'), kd=dict(method='kd', weight=None)
    )
    assert kd.cell('seeds', alone) == '0\N{EN DASH}2'
    assert kd.cell('mean', alone) == '43.00 ± 0.87'
    assert kd.cell('each', alone, digits=1) == '42.0, 43.5, 43.5'
    assert kd.cell('gain', alone) == '2.00 [0.76, 3.24]'
    assert kd.cell('minutes', alone) == '2.0 ± 1.0'
    assert alone.cell('gain', alone) == NOTHING
    assert alone.cell('minutes', None) == NOT_RECORDED
    assert alone.cell('parameters', None) == NOT_RECORDED


def test_a_teacher_has_no_gain_and_less_may_be_better() -> None:
    alone = Row('alone', {0: line('none', 0, 2.0, better='lower')})
    kd = Row('kd', {0: line('kd', 0, 1.5, better='lower')})
    assert kd.cell('gain', alone) == '0.50'
    assert Row('t', {0: line('teacher', 0, 1.0)}).cell('gain', alone) == NOTHING


def test_few_seeds_and_whole_numbers() -> None:
    lines = {seed: line('kd', seed, 1.0, parameters=203929) for seed in (0, 2)}
    row = Row('kd', lines)
    assert row.cell('seeds', None) == '0, 2'
    assert row.cell('parameters', None) == '203,929'


def test_what_was_typed_says_so() -> None:
    lines = [line('kd', 0, 1.0), *(line('kd', s, 1.0, source='a') for s in (1, 2))]
    assert Row('kd', {each['seed']: each for each in lines}).sources == ['a']


def test_what_no_table_shows_is_told(results: Results) -> None:
    rows(results, alone=dict(method='none'), kd=dict(method='kd', weight=None))
    assert results.hidden == ['runs.jsonl, line 7']
    rows(results, strong=dict(weight=2.0))
    assert results.hidden == []


def test_a_run_is_in_one_row(results: Results) -> None:
    with pytest.raises(ValueError, match="line 3: 'seed 0' conflicts with 'kd'"):
        rows(results, kd=dict(method='kd', weight=None), **{'seed 0': dict(seed=0)})


def test_settings_that_are_told_apart_too_little(results: Results) -> None:
    with pytest.raises(ValueError, match="'kd' conflicts with 'another line of seed"):
        rows(results, kd=dict(method='kd'))


def test_a_row_without_a_run(results: Results) -> None:
    with pytest.raises(ValueError, match=r"'dkd' has no line in runs\.jsonl"):
        rows(results, dkd=dict(method='dkd'))


def test_a_file_that_is_not_there(results: Results) -> None:
    with pytest.raises(ValueError, match=r'no camvid\.jsonl, only runs\.jsonl'):
        list(results.rows('camvid.jsonl', {}))


BROKEN = {
    '': 'Expecting value',
    'null': 'it must be a JSON object, got None',
    '{"method": "kd", "seed": 0, "la': 'Unterminated string',
    json.dumps(line('kd', 0, float('nan'))): 'NaN is not a result',
    json.dumps(line('kd', 0, 1.0, minutes=float('inf'))): 'Infinity is not a result',
    json.dumps(line('kd', 0, 1.0)).replace('1.0', '1e999'): 'last is not finite: inf',
    json.dumps(line('kd', 0, None)): 'last is not that of a run: None',
    json.dumps(line('kd', True, 1.0)): 'seed is not that of a run: True',
    json.dumps(line('kd', 0, '1.0')): "last is not that of a run: '1.0'",
    json.dumps(dict(seed=0, last=1.0)): 'command is not that of a run: None',
}


@pytest.mark.parametrize('text', BROKEN)
def test_a_line_that_is_no_run_is_named(results: Results, text: str) -> None:
    path = results._folder / 'runs.jsonl'
    whole = path.read_text()
    path.write_text(f'{whole}{text}\n{whole}')
    with pytest.raises(ValueError, match=rf'runs\.jsonl, line 8: {BROKEN[text]}'):
        Results(path.parent)


def test_a_damaged_measurement_is_named(results: Results) -> None:
    path = results._folder / 'worth.json'
    for content in (b'', b'{"networks": ', b'[]', b'{"a": NaN}', b'\xff\xfe'):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'worth\.json: '):
            results.read(path.name)
