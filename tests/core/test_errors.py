import inspect

import pytest

from elastic_reasoning.core import errors


def test_every_error_is_an_elastic_error_and_stands_in_the_tree() -> None:
    found = [e for _, e in inspect.getmembers(errors, inspect.isclass) if e.__module__ == errors.__name__]
    assert len(found) > 5
    for error in found:
        assert issubclass(error, errors.ElasticError)
        assert error.__name__ in (errors.__doc__ or "") or error is errors.ElasticError


def test_an_unknown_name_is_answered_with_the_nearest_known_one() -> None:
    message = errors.unknown("strategy", "elastik", ["s1", "elastic"])
    assert message == "unknown strategy 'elastik': did you mean 'elastic'? known are elastic, s1"


def test_a_name_that_resembles_none_is_answered_with_all() -> None:
    assert errors.unknown("task", "qqq", ["math", "code"]) == "unknown task 'qqq': known are code, math"


def test_a_missing_package_says_how_to_install_it() -> None:
    with pytest.raises(errors.MissingDependencyError, match=r"pip install 'elastic-reasoning\[train\]'"):
        errors.require("no_such_package.part", "train")


def test_a_present_package_is_handed_over() -> None:
    assert errors.require("json", "train").dumps(1) == "1"


def test_an_import_that_fails_within_a_present_package_is_not_hidden(tmp_path, monkeypatch) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package") as caught:
        errors.require("broken_package", "train")
    assert not isinstance(caught.value, errors.MissingDependencyError)
