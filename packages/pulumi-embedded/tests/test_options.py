"""Resource options, each as Pulumi has it."""

import gzip
import json

import pytest

import pulumi_embedded


def ops(result):
    return {step.name: step.op for step in result.steps if step.op != "same"}


def test_ignored_changes_keep_the_old_value(stack):
    stack.up("Thing('a', size=1)")
    assert ops(stack.up("Thing('a', size=2, opts=O(ignore_changes=['size']))")) == {}
    assert stack.state("a").inputs["size"] == 1
    assert ops(stack.up("Thing('a', size=2)")) == {"a": "update"}


def test_replace_on_changes(stack):
    stack.up("Thing('a', size=1, provider=LooseProvider())")
    options = "provider=LooseProvider(), opts=O(replace_on_changes=['size'], delete_before_replace=True)"
    assert ops(stack.up(f"Thing('a', size=2, {options})")) == {"a": "replace"}
    assert [line.split()[0] for line in stack.log()] == ["create", "delete", "create"]


def test_replace_on_changes_is_no_use_where_the_provider_compares(stack):
    """As under the CLI: a dynamic provider that says whether something changed cannot say what."""
    stack.up("Thing('a', size=1)")
    assert ops(stack.up("Thing('a', size=2, opts=O(replace_on_changes=['size']))")) == {"a": "update"}


def test_create_before_delete_by_default(stack):
    stack.up("Thing('a', kind='x')")
    stack.log()
    stack.up("Thing('a', kind='y')")
    assert stack.log() == ["create a y 1.0", "delete a-x"]


def test_delete_before_replace_takes_dependents_that_must_be_replaced_too(stack):
    program = """
    a = Thing('a', kind={kind!r}, opts=O(delete_before_replace=True))
    Thing('b', of=a.made.apply(lambda made: made + {kind!r}))
    Thing('c', opts=O(depends_on=[a]))
    """
    stack.up(program.format(kind="x"))
    stack.log()
    planned = stack.preview(program.format(kind="y"))
    done = stack.up(program.format(kind="y"))
    assert ops(planned) == ops(done) == {"a": "replace", "b": "replace"}
    assert stack.log() == ["delete b-a", "delete a-x", "create a y 1.0", "create b a 1.0"]


def test_a_failed_create_after_delete_first_is_made_up_for(stack):
    stack.up("Thing('a', kind='x', opts=O(delete_before_replace=True))")
    with pytest.raises(pulumi_embedded.StepsFailed, match="a: replace failed: Refused: no room"):
        stack.up("Thing('a', kind='y', bad=True, opts=O(delete_before_replace=True))")
    assert stack.state("a").pending_replacement
    stack.log()
    assert ops(stack.up("Thing('a', kind='y', opts=O(delete_before_replace=True))")) == {"a": "replace"}
    assert stack.log() == ["create a y 1.0"]
    assert not stack.state("a").pending_replacement


def test_a_thing_deleted_first_and_no_longer_wanted_is_not_deleted_twice(stack):
    stack.up("Thing('a', kind='x', opts=O(delete_before_replace=True))")
    with pytest.raises(pulumi_embedded.StepsFailed):
        stack.up("Thing('a', kind='y', bad=True, opts=O(delete_before_replace=True))")
    stack.log()
    stack.up("")
    assert stack.log() == []
    assert [row["type"] for row in stack.latest()["resources"]] == ["pulumi:pulumi:Stack"]


def test_retained_things_are_forgotten_not_deleted(stack):
    stack.up("Thing('a', opts=O(retain_on_delete=True))")
    stack.log()
    assert ops(stack.up("")) == {"a": "delete"}
    assert stack.log() == []


def test_deleted_with_spares_the_call_when_the_other_goes_too(stack):
    program = "a = Thing('a')\nThing('b', opts=O(deleted_with=a))"
    stack.up(program)
    stack.log()
    stack.run("destroy")
    assert stack.log() == ["delete a-a"]
    stack.up(program)
    stack.log()
    stack.up("Thing('a')")
    assert stack.log() == ["delete b-a"]


GROUP = """
class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("unit:index:Group", name, {}, opts)
        self.thing = Thing(f"{name}-thing", opts=O(parent=self))
        self.register_outputs({})
"""


def test_children_inherit_protection_and_protected_things_stay(stack):
    stack.up(GROUP + "Group('g', O(protect=True))")
    stack.log()
    for attempt in (lambda: stack.up(""), lambda: stack.run("destroy")):
        with pytest.raises(pulumi_embedded.Protected, match="g-thing"):
            attempt()
    with pytest.raises(pulumi_embedded.Protected):
        stack.up("Thing('other')")
    assert stack.log() == []
    assert stack.state("g-thing").protect


def test_a_renamed_component_keeps_its_children(stack):
    stack.up(GROUP + "Group('g')\nThing('after', opts=O(depends_on=[]))")
    stack.log()
    result = stack.up(GROUP + "Group('h', O(aliases=[pulumi.Alias(name='g')]))")
    assert ops(result) == {"after": "delete"}
    assert stack.state("h-thing").id == "g-thing-a"
    assert stack.log() == ["delete after-a"]


def test_a_new_parent_is_followed_through_an_alias(stack):
    stack.up("Thing('a')\nThing('b', opts=O(depends_on=[]))")
    moved = """
    class Group(pulumi.ComponentResource):
        def __init__(self, name):
            super().__init__("unit:index:Group", name, {})
            alias = pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)
            Thing("a", opts=O(parent=self, aliases=[alias]))
            self.register_outputs({})
    Group("g")
    Thing("b")
    """
    assert ops(stack.up(moved)) == {"g": "create"}
    assert "unit:index:Group$" in stack.state("a").urn


def test_additional_secret_outputs_and_inherited_secrecy(stack):
    stack.up("Thing('a', key=pulumi.Output.secret('hunter2'), opts=O(additional_secret_outputs=['made']))")
    assert stack.state("a").outputs["made"] == pulumi_embedded.Secret("by-a")
    assert stack.state("a").outputs["key"] == pulumi_embedded.Secret("hunter2")
    text = stack.checkpoint.read_text()
    assert "hunter2" not in text
    assert "by-a" not in text


def test_replace_with(stack):
    program = "a = Thing('a', kind={kind!r})\nThing('b', opts=O(replace_with=[a]))"
    stack.up(program.format(kind="x"))
    assert ops(stack.up(program.format(kind="y"))) == {"a": "replace", "b": "replace"}


def test_numbers_arrive_as_they_do_under_the_cli(stack):
    stack.up("Thing('a', size=3)")
    assert stack.log() == ["create a a 3.0"]
    assert '"size": 3}' in stack.checkpoint.read_text()


def test_a_check_failure_names_the_property_and_changes_nothing(stack):
    with pytest.raises(pulumi_embedded.StepsFailed, match="bad: create failed: size: must not be negative"):
        stack.up("Thing('good')\nThing('bad', size=-1)")
    assert stack.log() == []


def test_two_resources_of_one_name(stack):
    with pytest.raises(pulumi_embedded.StepsFailed, match="give one another name"):
        stack.up("Thing('a')\nThing('a')")
    assert stack.log() == []


def test_the_diff_names_paths_and_hides_secrets(stack):
    stack.up("Thing('a', size=1, deep={'list': [1, {'x': 'old'}]}, key=pulumi.Output.secret('one'))")
    result = stack.preview("Thing('a', size=2, deep={'list': [1, {'x': 'new'}]}, key=pulumi.Output.secret('two'))")
    diff = {change.path: (change.old, change.new) for change in result.steps[-1].diff}
    assert diff == {
        "size": (1, 2),
        "deep.list[1].x": ("old", "new"),
        "key": (pulumi_embedded.Secret("one"), pulumi_embedded.Secret("two")),
    }
    assert "two" not in repr(result)


def test_an_edited_secret_only_is_no_output_of_repr(stack):
    result = stack.up("pulumi.export('key', pulumi.Output.secret({'deep': ['hunter2']}))")
    assert "hunter2" not in repr(result)
    assert result.outputs["key"].value == {"deep": ["hunter2"]}
    assert "hunter2" not in stack.checkpoint.read_text()
    assert (
        pulumi_embedded.outputs("unit", "test", stack.backend, pulumi_embedded.Passphrase("a passphrase"))
        == result.outputs
    )


def test_a_plan_shows_the_steps_and_refuses_what_is_protected(stack):
    """As the CLI's preview does; to unprotect a thing and replace it at once is allowed."""
    stack.up("Thing('a', opts=O(protect=True))\nThing('b', opts=O(protect=True))")
    with pytest.raises(pulumi_embedded.Protected, match="a, b: protected") as caught:
        stack.preview("Thing('a', kind='y', opts=O(protect=True))\nThing('c')")
    assert ops(caught.value.result) == {"a": "replace", "b": "delete", "c": "create"}
    stack.log()
    assert ops(stack.up("Thing('a', kind='y')\nThing('b', opts=O(protect=True))")) == {"a": "replace"}
    assert stack.log() == ["create a y 1.0", "delete a-a"]


def test_what_goes_with_a_replaced_thing_is_replaced_too(stack):
    program = """
    a = Thing('a', kind={kind!r}, opts=O(delete_before_replace={first}))
    Thing('b', opts=O(deleted_with=a))
    Thing('c', opts=O(replace_with=[a]))
    Thing('d', opts=O(depends_on=[a]))
    """
    for kind, first in (("y", False), ("z", True)):
        stack.up(program.format(kind="x", first=first))
        assert ops(stack.preview(program.format(kind=kind, first=first))) == dict.fromkeys("abc", "replace")
        assert ops(stack.up(program.format(kind=kind, first=first))) == dict.fromkeys("abc", "replace")
        stack.run("destroy")


def test_a_replaced_thing_takes_its_ignored_changes(stack):
    stack.up("Thing('a', size=1)")
    stack.up("Thing('a', size=2, kind='y', opts=O(ignore_changes=['size']))")
    assert stack.state("a").inputs["size"] == 2


def test_one_state_cannot_become_two_resources(stack):
    stack.up("Thing('a')")
    twice = "Thing('b', opts=O(aliases=[pulumi.Alias(name='a')]))\nThing('c', opts=O(aliases=[pulumi.Alias(name='a')]))"
    with pytest.raises(pulumi_embedded.StepsFailed, match="remove an alias"):
        stack.up(twice)


def test_a_state_that_older_readers_would_misread_says_so(stack):
    """Versions and features are the CLI's: it reads 4 only where it knows each feature, and so does this engine."""
    stack.up("a = Thing('a')\nThing('b', opts=O(replace_with=[a]))")
    path = stack.backend.path("unit", "test")
    written = json.loads(path.read_text())
    assert (written["version"], written["features"]) == (4, ["replaceWith"])
    assert ops(stack.preview()) == {}
    path.write_text(json.dumps({**written, "features": ["replaceWith", "views"]}))
    with pytest.raises(pulumi_embedded.Unsupported, match="a state with views needs the Pulumi CLI"):
        stack.preview()
    stack.backend.path("unit", "test").write_text(json.dumps(written))
    stack.up("Thing('a')")
    assert json.loads(path.read_text())["version"] == 3


def test_a_state_of_a_newer_engine_is_not_to_be_thrown_away(stack):
    stack.up("Thing('a')")
    path = stack.backend.path("unit", "test")
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 5}))
    with pytest.raises(pulumi_embedded.CorruptCheckpoint, match="written by a newer Pulumi: upgrade") as caught:
        stack.preview()
    assert "restore" not in str(caught.value)


@pytest.mark.parametrize("beside", [True, False], ids=["beside one that is read", "alone"])
def test_a_state_that_the_cli_packed_is_refused_by_name(stack, beside):
    stack.up("Thing('a')")
    path = stack.backend.path("unit", "test")
    packed = path.with_name("test.json.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    if not beside:
        path.unlink()
    with pytest.raises(pulumi_embedded.CorruptCheckpoint, match=r"test\.json\.gz: packed by the CLI .*stack import"):
        stack.up("Thing('a')")
