from typing import Any

import pytest

from mmkd.models import class_names as source
from mmkd.models.class_names import names_in, places_of

STREET = ['road', 'Traffic sign', 'sky', 'person', 'car']


@pytest.mark.parametrize(
    'meta',
    [
        dict(dataset_meta=dict(classes=('road', 'sky'), palette=[[0, 0, 0]])),
        dict(dataset_meta=dict(CLASSES=['road', 'sky'])),
        dict(CLASSES=('road', 'sky'), epoch=3),
    ],
)
def test_names_are_found_where_the_libraries_put_them(meta: dict[str, Any]) -> None:
    assert names_in(dict(meta=meta, state_dict={})) == ['road', 'sky']


@pytest.mark.parametrize(
    'content',
    [
        {},
        dict(meta=None),
        dict(meta=dict(epoch=1)),
        dict(meta=dict(dataset_meta=None)),
        dict(meta=dict(dataset_meta=dict(classes=None))),
        dict(meta=dict(dataset_meta=dict(classes=[]))),
        dict(meta=dict(classes='road')),
    ],
)
def test_a_file_without_names(content: dict[str, Any]) -> None:
    assert names_in(content) is None


@pytest.mark.parametrize(
    'names',
    [STREET, ['Road', 'traffic-sign', ' SKY', 'per_son', 'car.'], tuple(STREET)],
)
def test_one_order_whatever_the_spelling(names: Any) -> None:
    assert places_of(STREET, names) is None
    assert places_of(names, STREET) is None


def test_places_of_another_order() -> None:
    teacher = ['car', 'sky', 'traffic_sign', 'ROAD', 'person']

    places = places_of(STREET, teacher)

    assert places == [3, 2, 1, 4, 0]


def test_punctuation_that_tells_names_apart_counts() -> None:
    assert places_of(['c', 'c++', 'd'], ['c++', 'c', 'd']) == [1, 0, 2]
    assert places_of(['+', '-'], ['-', '+']) == [1, 0]


def test_two_classes_of_one_name_are_the_same_in_their_places() -> None:
    birds = ['crane', 'heron', 'crane', 'tank']

    assert places_of(birds, list(birds)) is None
    with pytest.raises(ValueError, match='are not the training set'):
        places_of(birds, birds[::-1])


def test_other_classes_show_both_lists() -> None:
    with pytest.raises(ValueError, match=r'classes=.same') as error:
        places_of(STREET, ['road', 'sign', 'sky', 'tree', 'car'])

    text = str(error.value)
    assert 'Training set: road, Traffic sign, sky, person, car.' in text
    assert 'Teacher: road, sign, sky, tree, car.' in text


def test_a_subset_is_offered_in_the_teachers_words() -> None:
    offer = r"teacher=dict\(classes=\['sky', 'Traffic sign'\]\)"
    with pytest.raises(ValueError, match=offer):
        places_of(['Sky', 'traffic_sign'], STREET)


def test_a_few_new_names_of_many_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(source, 'print_log', lambda text, **_: said.append(text))
    many = [f'class {n}' for n in range(100)]
    renamed = [*many[:50], 'fig', *many[51:]]

    assert places_of(renamed, many) is None
    assert 'fig / class 50' in said[0]
    with pytest.raises(ValueError, match=r'and 70 more\. Teacher: '):
        places_of([*many[:90], *'abcdefghij'], many)
    with pytest.raises(ValueError, match='are not the training set'):
        places_of([*many[:50], 'fig', *many[50:99]], many)


@pytest.mark.parametrize('own', [['cat', 'crane', 'crane'], ['crane', 'cat']])
def test_two_classes_of_one_name_are_told_apart_by_number(own: list[str]) -> None:
    with pytest.raises(ValueError, match=r'one name \(crane\): .* to its channel'):
        places_of(own, ['crane', 'crane', 'cat'])
    assert places_of(['cat', 'crane', 'crane'], ['cat', 'crane', 'crane']) is None
