"""Reads an environment's file, refuses what cannot be built, and builds the rest for its target.

A stack is called after its environment; that of what its cloud must have first, `<environment>.substrate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pulumi

from mlstrata.components import guests
from mlstrata.components.errors import PlanError
from mlstrata.components.governance.environment import declare
from mlstrata.environments import EnvironmentSpec, SpecErrors, Workspace, WorkspaceError, load_with_places
from mlstrata.environments.layers import environment_of, is_substrate, stack_of
from mlstrata.environments.spec.target import AwsTarget
from mlstrata.stacks.preconditions import problems, refused


def main() -> None:
    """Build the environment that the stack is named after, under the Pulumi CLI and the embedded engine.

    Raises:
        pulumi.RunError: It cannot be built; the message alone is for the user, with no traceback.
    """
    try:
        build(pulumi.get_stack())
    except (SpecErrors, WorkspaceError) as error:
        raise pulumi.RunError(str(error)) from None


def build(stack: str) -> None:
    """Register every resource of the environment, or of its substrate, that the stack is named after.

    Raises:
        SpecErrors: Its file is not a valid one.
        WorkspaceError: There is no workspace.
        pulumi.RunError: It cannot be built as declared, or a tool is missing; one line a problem, nothing registered.
    """
    workspace = Workspace.find()
    guests.load(workspace)
    file = workspace.environment_file(environment_of(stack))
    loaded = load_with_places(file)
    # Whoever runs this, runs it in a folder of its own: the workspace's is the one that people are in.
    if found := refused(replace(loaded, file=str(file.relative_to(workspace.root))), workspace):
        raise pulumi.RunError("\n".join(map(str, found)))
    workspace.hand_on()  # the providers of a typed `pulumi up` are processes of their own
    if not pulumi.runtime.is_dry_run() and loaded.spec.target.kind == "local":
        workspace.keep_from_git()
    try:
        exports = plan_substrate(loaded.spec) if is_substrate(stack) else plan(loaded.spec, workspace)
    except PlanError as error:
        raise pulumi.RunError(str(error)) from None
    for name, value in exports.items():
        pulumi.export(name, value)


def plan(spec: EnvironmentSpec, workspace: Workspace) -> dict[str, object]:
    """Register an environment's resources; return what its stack exports.

    Raises:
        PlanError: It cannot be built as declared; nothing is registered then.
    """
    if found := problems(spec):
        raise PlanError(found)
    ground: Mapping[str, object] = {}
    if spec.target.kind != "local":
        from mlstrata.stacks import cluster  # the classes of its objects take a while to import

        built = cluster.build(spec, workspace)
        exported, ground = built.exported(), built.ground
    else:
        from mlstrata.stacks import local  # and so do those of local services

        exported = local.build(spec, workspace).exported()
    declare(spec, ground)  # last: what a builder refuses must be refused before anything is registered
    return exported


def plan_substrate(spec: EnvironmentSpec) -> dict[str, object]:
    """Register the resources of an environment's substrate; return what its stack exports.

    Raises:
        PlanError: It cannot be built as declared, or its target has none; nothing is registered then.
    """
    if found := problems(spec):
        raise PlanError(found)
    target = spec.target
    if not isinstance(target, AwsTarget):
        raise PlanError([f"stack {stack_of(spec.name)}: target.kind: got '{target.kind}'; only aws has a substrate"])
    from mlstrata.stacks import aws  # the classes of its resources take seconds to import

    return aws.build(spec, target).exported()
