"""Any Pulumi program: plans by echo, refusals by name, configuration, prints, references to other stacks."""

import json
import os
import sys
from pathlib import Path

import pytest

import pulumi_embedded
from pulumi_embedded.values import contains

KUBERNETES = """
import pulumi_kubernetes as k8s
provider = k8s.Provider("cluster", namespace="ml")
config = k8s.core.v1.ConfigMap("settings", data={"a": "b"}, opts=O(provider=provider))
secret = k8s.core.v1.Secret("key", string_data={"k": pulumi.Output.secret("hunter2")})
pulumi.export("name", config.metadata.name)
"""


def test_packages_without_a_provider_are_planned_by_echo(stack):
    result = stack.preview(KUBERNETES)
    assert result.counts == {"create": 4}
    assert result.outputs == {"name": pulumi_embedded.UNKNOWN}
    graph = {resource.name: resource for resource in result.graph}
    assert graph["settings"].inputs["data"] == {"a": "b"}
    assert graph["settings"].provider.startswith(graph["cluster"].urn)
    assert contains(graph["key"].inputs, pulumi_embedded.Secret)
    assert "pulumi:providers:kubernetes::default_4_34_2" in graph["key"].provider
    assert not stack.checkpoint.exists()


def test_packages_without_a_provider_are_refused_by_up_before_anything_changes(stack):
    with pytest.raises(pulumi_embedded.Unsupported) as caught:
        stack.up("Thing('a')\n" + KUBERNETES)
    assert "kubernetes" in caught.value.feature
    assert "get.pulumi.com" in str(caught.value)
    assert stack.log() == []
    assert not stack.checkpoint.exists()


@pytest.mark.parametrize(
    ("program", "feature"),
    [
        ("Thing('a', opts=O(import_='x'))", "import option of 'a'"),
        ("Thing('a', opts=O(hooks=pulumi.ResourceHookBinding(before_create=[lambda args: None])))", "resource hooks"),
        ("Thing('a', opts=O(transforms=[lambda args: None]))", "transforms"),
        ("Thing('a', file=pulumi.StringAsset('x'))", "asset"),
        (
            "pulumi.runtime.invoke('a:b:c', {})",
            "function a:b:c",
        ),
        ("pulumi.ComponentResource('pkg:index:Remote', 'r', {}, remote=True)", "pkg:index:Remote"),
        ("pulumi.CustomResource('pkg:index:Cloud', 'c', {})", "pkg:index:Cloud"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(stack, program, feature):
    with pytest.raises(pulumi_embedded.Unsupported) as caught:
        stack.up("Thing('first')\n" + program)
    assert feature in str(caught.value)
    assert stack.log() == []


def test_a_plan_goes_on_past_remote_components_and_output_invokes(stack):
    result = stack.preview("""
    pulumi.ComponentResource('pkg:index:Remote', 'r', {'size': 3}, remote=True)
    region = pulumi.runtime.invoke_output('aws:index:getRegion', {})
    Thing('a', of=region.apply(lambda found: found['name']))
    """)
    assert result.counts == {"create": 3}
    told = " ".join(diagnostic.message for diagnostic in result.diagnostics)
    assert "pkg:index:Remote is made by its plugin; not inspected" in told
    assert "aws:index:getRegion" in told


def test_what_a_plugin_made_inside_its_component_stays_as_long_as_that_does(stack):
    stack.up("Thing('a')")
    checkpoint = json.loads(stack.checkpoint.read_text())
    resources = checkpoint["checkpoint"]["latest"]["resources"]
    bundle = {"urn": "urn:pulumi:test::unit::pkg:index:Bundle::b", "type": "pkg:index:Bundle", "custom": False}
    bundle["parent"] = resources[0]["urn"]
    group = {**bundle, "urn": f"{bundle['urn'].replace('::b', '$pkg:index:Group')}::g", "type": "pkg:index:Group"}
    group["parent"] = bundle["urn"]
    made = {**group, "urn": group["urn"].replace("Group::g", "Group$pkg:index:Made::m"), "type": "pkg:index:Made"}
    made |= {"parent": group["urn"], "custom": True, "id": "m"}
    resources += [bundle, group, made]
    stack.checkpoint.write_text(json.dumps(checkpoint))
    there = "pulumi.ComponentResource('pkg:index:Bundle', 'b', {'file': 'x'}, remote=True)"
    assert stack.preview(f"Thing('a')\n{there}").counts == {"same": 3}
    assert stack.preview("Thing('a')").counts == {"same": 2, "delete": 3}


def test_a_plan_that_needs_the_result_of_an_invoke_says_which(stack):
    with pytest.raises(pulumi_embedded.Unsupported, match="the result of aws:index:getRegion"):
        stack.preview("print(pulumi.runtime.invoke('aws:index:getRegion', {}).value['name'])")


def test_several_programs_one_after_another(stack, tmp_path):
    other = type(stack)(tmp_path / "other")
    (other.root / "helper.py").write_text("name = 'from-other'")
    (stack.root / "helper.py").write_text("name = 'from-first'")
    program = "import helper\nThing(helper.name)\npulumi.export('name', helper.name)"
    before = (Path.cwd(), list(sys.path), list(sys.argv))
    for _ in range(2):
        assert stack.up(program).outputs == {"name": "from-first"}
        assert other.up(program).outputs == {"name": "from-other"}
    assert (Path.cwd(), list(sys.path), list(sys.argv)) == before
    assert "helper" not in sys.modules
    assert "things" not in sys.modules
    assert other.run("destroy").counts == {"delete": 2}
    assert stack.run("destroy").counts == {"delete": 2}


def test_prints_and_logs_become_diagnostics(stack, capsys):
    def loud(event):
        print("event")

    result = stack.preview("print('hello')\npulumi.log.warn('careful')\npulumi.log.debug('noise')", on_event=loud)
    assert [(d.severity, d.message) for d in result.diagnostics] == [("info", "hello"), ("warning", "careful")]
    assert "hello" not in capsys.readouterr().out


def test_working_directory_and_arguments_are_those_of_the_cli(stack):
    result = stack.preview("import os, sys\npulumi.export('here', os.getcwd())\npulumi.export('path', sys.path[0])")
    assert result.outputs["here"] == str(stack.root)
    assert Path(result.outputs["path"]) == stack.root


def test_configuration(stack):
    (stack.root / "Pulumi.yaml").write_text(
        "name: unit\nruntime: python\nstackConfigDir: conf\nconfig: {size: {default: 3}, 'other:key': {value: k}}\n"
    )
    stack.up("pulumi.export('s', pulumi.Output.secret(1))")
    settings = stack.root / "conf" / "Pulumi.test.yaml"
    salt = settings.read_text().splitlines()[0]
    manager = pulumi_embedded.secrets.SecretsManager(
        pulumi_embedded.Passphrase("a passphrase"), salt.split(": ", 1)[1], "test"
    )
    sealed = manager.encrypt("hunter2")
    settings.write_text(
        f"{salt}\nconfig:\n  unit:color: red\n  unit:flag: true\n  unit:password:\n    secure: {sealed}\n"
    )
    result = stack.up("""
    config = pulumi.Config()
    for key in ("color", "size", "flag"):
        pulumi.export(key, config.require(key))
    pulumi.export("password", config.require_secret("password"))
    pulumi.export("other", pulumi.Config("other").require("key"))
    """)
    assert result.outputs == {
        "color": "red",
        "size": "3",
        "flag": "true",
        "password": pulumi_embedded.Secret("hunter2"),
        "other": "k",
    }
    assert "hunter2" not in stack.checkpoint.read_text()
    stack.program = pulumi_embedded.Program("unit", "test", stack.root, config={"color": "blue"})
    assert stack.up().outputs["color"] == "blue"


def test_another_stacks_outputs(stack):
    stack.program = pulumi_embedded.Program("unit", "base", stack.root)
    stack.up("pulumi.export('zone', 'z1')\npulumi.export('key', pulumi.Output.secret('hunter2'))")
    stack.program = pulumi_embedded.Program("unit", "test", stack.root)
    program = """
    r = pulumi.StackReference('organization/unit/{}')
    pulumi.export('zone', r.get_output('zone'))
    pulumi.export('key', r.get_output('key'))
    """
    result = stack.up(program.format("base"))
    assert result.outputs == {"zone": "z1", "key": pulumi_embedded.Secret("hunter2")}
    assert "hunter2" not in stack.checkpoint.read_text()
    with pytest.raises(pulumi_embedded.StepsFailed, match="there is no stack 'organization/unit/none'"):
        stack.up(program.format("none"))
    assert stack.backend.stacks() == (("unit", "base"), ("unit", "test"))


def test_resources_as_inputs_are_given_by_id(stack):
    stack.up("a = Thing('a')\nThing('b', of=a, all={'list': [a]})\npulumi.export('a', a.made)")
    assert stack.state("b").inputs["of"] == "a-a"
    assert stack.state("b").inputs["all"] == {"list": ["a-a"]}
    assert stack.state("b").dependencies == [stack.state("a").urn]


def test_refresh_drops_what_is_gone_and_up_makes_it_again(stack):
    program = "a = Thing('a')\nThing('b', of=a.made)"
    stack.up(program)
    (stack.root / "gone").write_text("a-a")
    seen = pulumi_embedded.refresh(
        stack.program,
        stack.backend,
        pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase("a passphrase")),
        dry_run=True,
    )
    assert [(step.name, step.op) for step in seen.drift] == [("a", "delete")]
    planned = stack.preview(refresh=True)
    assert {step.name: step.op for step in planned.steps}["a"] == "create"
    stack.run("refresh")
    assert stack.state("b").dependencies == []
    (stack.root / "gone").unlink()
    stack.log()
    assert stack.up().counts == {"same": 2, "create": 1}
    assert stack.log() == ["create a a 1.0"]


def test_parallel_steps_and_a_limit_of_one(stack):
    creates, started = stack.root / "creates", []

    def note(event: pulumi_embedded.Event) -> None:
        started.extend([event] if isinstance(event, pulumi_embedded.StepStarted) else [])
        if len(started) == 6:
            (stack.root / "all").touch()

    # Each create waits until every one is called, so they end only if they run at the same time.
    stack.up("for i in range(6):\n    Thing(f't{i}', until='all')", on_event=note)
    creates.unlink()
    stack.run("destroy")
    stack.up(parallel=1)
    assert creates.read_text().split() == ["begin", "end"] * 6


def test_a_provider_that_moved_says_so(stack):
    stack.up("Thing('a')")
    (stack.root / "things.py").rename(stack.root / "elsewhere.py")
    with pytest.raises(pulumi_embedded.StepsFailed, match="No module named 'things'"):
        stack.run("destroy")
    assert os.environ.get("PULUMI_CONFIG_PASSPHRASE") is None
