"""The interpreter takes the place of a step's command, and of nothing in its arguments."""

from kfp.dsl.component_factory import _get_command_and_args_for_lightweight_component

from mlstrata.services.runner.warm import with_interpreter


def step() -> None:
    """Do nothing; python3 is named here."""


def test_paths_in_arguments_stay_what_they_are() -> None:
    command, arguments = _get_command_and_args_for_lightweight_component(step)
    path = '{"lock": "/venv/lib/python3.11/site-packages/locks/services.txt", "name": "python3"}'
    given = [*command, *arguments, path]
    found = with_interpreter(given, "/venv/bin/python")
    assert found[-1] == path
    scripts = [(old, new) for old, new in zip(given, found, strict=True) if old != new]
    assert scripts, "the step runs with the interpreter that was given"
    assert all("/venv/bin/python -m kfp.dsl.executor_main" in new and "python3" not in new for _, new in scripts)
    assert any("python3 is named here" in one for one in found), "its own code is left alone"


def test_another_shape_of_command_gets_it_too() -> None:
    assert with_interpreter(["python3", "-c", "pass"], "/p") == ["/p", "-c", "pass"]
