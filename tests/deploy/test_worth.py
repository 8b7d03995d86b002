import json
from collections.abc import Callable

import pytest

from mmkd.deploy.forms import FLOAT, INT8, PYTORCH, Form, Subject
from mmkd.deploy.latency import Latency
from mmkd.deploy.network import Network
from mmkd.deploy.worth import record, sentences, table
from mmkd.spread import NOTHING


def form(runtime: str, size: float, time: float, score: float | None) -> Form:
    scores = {} if score is None else {'aAcc': 1.0, 'mIoU': score}
    return Form(runtime, size, lambda images: images, Latency([time], [time]), scores)


@pytest.fixture
def subjects(network: Callable[..., Network]) -> list[Subject]:
    own = network('images')
    big = [form(PYTORCH, 40, 50, 60.0), form(FLOAT, 40, 40, 60.0)]
    small = [form(FLOAT, 8, 10, 50.0), form(INT8, 2, 5, 49.5)]
    return [
        Subject('teacher', own, 10_000_000, 5_000_000_000, big, []),
        Subject('student', own, 2_000_000, 'NotImplementedError', small, ['x']),
    ]


def test_a_table_that_reads_as_text_too(subjects: list[Subject]) -> None:
    head, rule, *rows = table(record(subjects)).splitlines()
    assert len({len(line) for line in (head, rule, *rows)}) == 1
    cells = [[cell.strip() for cell in row.strip('|').split('|')] for row in rows]
    assert cells[0] == (
        ['teacher', '10,000,000', '5,000.0M', 'PyTorch', '40.00']
        + ['50.00'] * 3 + ['60.00']
    )
    assert cells[1][:4] == ['', '', '', 'onnxruntime']
    assert cells[2][2] == NOTHING
    assert [name.strip() for name in head.split('|')][-2] == 'mIoU'
    subjects[0].forms[0].scores.clear()
    assert table(record(subjects)).splitlines()[2].endswith(f'{NOTHING} |')


def test_without_scores_there_is_no_column(subjects: list[Subject]) -> None:
    for each in subjects:
        for one in each.forms:
            one.scores.clear()
    assert 'mIoU' not in table(record(subjects))
    assert 'mIoU' not in ''.join(sentences(record(subjects)))


def test_what_int8_and_the_student_cost(subjects: list[Subject]) -> None:
    assert list(sentences(record(subjects))) == [
        'int8 vs float32, student: 0.50 of the CPU time, 0.25 of the file size, '
        'mIoU -0.50',
        'student in onnxruntime vs teacher in onnxruntime: 0.20 of the parameters, '
        '0.25 of the CPU time, 0.20 of the file size, mIoU -10.00',
        'student in onnxruntime int8 vs teacher in onnxruntime: 0.20 of the '
        'parameters, 0.12 of the CPU time, 0.05 of the file size, mIoU -10.50',
    ]


def test_a_busy_processor_is_named(subjects: list[Subject]) -> None:
    subjects[0].forms[0].latency = Latency([75.0], [50.0])
    *_, last = sentences(record(subjects))
    assert 'up to 1.5 times the CPU time' in last


def test_all_numbers_are_json(subjects: list[Subject]) -> None:
    teacher, student = json.loads(json.dumps(record(subjects)))
    assert teacher['multiply_adds'] == 5_000_000_000
    assert student['multiply_adds'] is None
    assert student['notes'] == ['x']
    assert student['forms'][1]['scores'] == {'aAcc': 1.0, 'mIoU': 49.5}
    assert student['forms'][1]['ms_processor'] == 5
