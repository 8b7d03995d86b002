"""``mmkd.models`` imports its names when they are first used."""

from importlib import import_module

import pytest

from mmkd import models


@pytest.mark.parametrize('name', models.__all__)
def test_every_public_name_is_where_it_is_said_to_be(name: str) -> None:
    found = getattr(models, name)
    assert found is getattr(import_module(found.__module__), name)
    assert found.__module__ == f'mmkd.models.{models.PLACES[name]}'


def test_no_place_without_a_public_name() -> None:
    assert sorted(models.PLACES) == sorted(models.__all__)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match=r"mmkd\.models.*'Distiler'"):
        _ = models.Distiler
