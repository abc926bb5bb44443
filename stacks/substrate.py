"""What a cloud's substrate, a stack of its own, hands to the platform that stands on it."""

from __future__ import annotations

from typing import Annotated, Any

import pulumi
import yaml
from pydantic import Field, ValidationError, model_validator

from mlstrata.closed import Closed
from mlstrata.components.errors import PlanError
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.layers import stack_of
from mlstrata.environments.spec.target import AwsTarget

FOLDER = "substrates"
Arn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$")]
Id = Annotated[str, Field(pattern=r"^(subnet|sg)-[0-9a-f]{8,17}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=255)]


class ClusterOutputs(Closed):
    """The cluster."""

    name: Name = Field(description="Its name.")
    endpoint: str = Field(pattern=r"^https://[^\s]+$", description="Address of its API server.")
    authority: str = Field(pattern=r"^[A-Za-z0-9+/=]+$", description="Certificate of its authority, in base64.")


class NodesOutputs(Closed):
    """What nodes are made from."""

    role: Name = Field(description="Name of the role that they have.")
    image: str = Field(pattern=r"^[a-z0-9]+@v[0-9]+$", description="Alias of their image with its version.")
    subnets: tuple[Id, ...] = Field(min_length=1, description="Subnets that they are made in.")
    security_groups: tuple[Id, ...] = Field(min_length=1, description="Security groups that they are in.")
    groups: dict[str, Name] = Field(
        default_factory=dict,
        description="Pool to the node group with the nodes that it always has: labelled and tainted as its others.",
    )


class KarpenterOutputs(Closed):
    """What Karpenter needs of the account."""

    role: Arn = Field(description="The role that it makes nodes with.")
    queue: Name = Field(description="The queue that tells it of nodes about to be taken away.")


class StoreOutputs(Closed):
    """The bucket of models, data and backups."""

    bucket: Name = Field(description="Its name.")
    key: Arn = Field(description="The key of the account's own that it is encrypted with.")
    role: Arn = Field(description="The role of the registry, which writes in it; each other account has its own.")
    features_role: Arn = Field(
        description="The role of the feature store's account, feast-features in feast-operator-system: lists and reads "
        "features/ in it and uses its key to decrypt, nothing else; another role than that of the others.",
    )

    @model_validator(mode="after")
    def _narrow(self) -> StoreOutputs:
        if self.features_role == self.role:
            raise ValueError("features_role is the role of all others; give the feature store one that only reads")
        return self


class DocumentsOutputs(Closed):
    """The bucket of what an authority may ask for years later."""

    bucket: Name = Field(description="Its name.")
    days: int = Field(ge=1, description="For how many days nobody deletes what is put there, its owner included.")


class DatabaseOutputs(Closed):
    """Postgres, with the databases mlflow, feast and recorder; the secret `database` is in the organisation's store."""

    host: Name = Field(description="Its host.")
    port: int = Field(default=5432, ge=1, le=65535, description="Its port.")


class OnlineOutputs(Closed):
    """Where values of features lie in memory, reached by TLS from the cluster alone."""

    host: Name = Field(description="Its host.")
    port: int = Field(default=6379, ge=1, le=65535, description="Its port.")


class SubstrateOutputs(Closed):
    """All of it; nothing of it is secret."""

    account: str = Field(pattern=r"^[0-9]{12}$", description="The account.")
    region: str = Field(description="The region.")
    network: str = Field(pattern=r"^[0-9.]+/[0-9]+$", description="Addresses of the network that all of it is in.")
    cluster: ClusterOutputs = Field(description="The cluster.")
    nodes: NodesOutputs = Field(description="What nodes are made from.")
    karpenter: KarpenterOutputs = Field(description="What Karpenter needs.")
    store: StoreOutputs = Field(description="The bucket.")
    documents: DocumentsOutputs = Field(description="The locked bucket of documents.")
    database: DatabaseOutputs = Field(description="Postgres.")
    online: OnlineOutputs | None = Field(default=None, description="Values of features; none: Postgres has them.")
    secrets_role: Arn = Field(description="The role that External Secrets reads the account's secrets with.")
    storage_class: str = Field(default="gp3", description="Class of volumes; gp3, AWS's general one.")


def outputs(spec: EnvironmentSpec, workspace: Workspace) -> SubstrateOutputs:
    """Return what an environment's substrate hands over: its stack's outputs, in a plan else those of a file.

    A file stands in for a substrate that is not there yet, so that a pull request can be planned and checked with no
    account at all. Nothing is deployed onto one.

    Raises:
        PlanError: there is neither, they are not of this form, or they are of another account or region.
    """
    stack, path = stack_of(spec.name), workspace.environments / FOLDER / f"{spec.name}.yaml"
    given, where = _of_stack(stack), f"stack {stack}"
    if given is None:
        if not pulumi.runtime.is_dry_run():
            raise PlanError([f"stack {stack}: is not there; bring the substrate up first: nothing stands on a file"])
        given, where = _of_file(path), str(path)
    if given is None:
        raise PlanError([f"{path}: is missing; bring stack {stack} up, or write its outputs there to plan without it"])
    try:
        found = SubstrateOutputs.model_validate(given)
    except ValidationError as error:
        raise PlanError(
            f"{where}: {'.'.join(map(str, one['loc'])) or 'outputs'}: {one['msg'].lower()}"
            for one in error.errors(include_url=False)
        ) from None
    assert isinstance(spec.target, AwsTarget)  # noqa: S101 - only this target has a substrate
    for what in ("account", "region"):
        if (got := getattr(found, what)) != (wanted := getattr(spec.target, what)):
            raise PlanError([f"{where}: {what}: got {got}, but the environment's target is in {wanted}"])
    return found


def _of_stack(stack: str) -> dict[str, Any] | None:
    """Return a stack's outputs as plain values; None: there is no such stack."""
    # Plain values, not a StackReference's promises of some: what is rendered must be known when it is planned.
    try:
        answer = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack}).value
    except Exception as error:
        # Pulumi's own engine says the first, the embedded one the second.
        if "unknown stack" in str(error) or "there is no stack" in str(error):
            return None
        raise
    found = answer.get("outputs") if isinstance(answer, dict) else None
    return found if found else None


def _of_file(path: Any) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise PlanError([f"{path}:{line}: not valid YAML; correct the line or the one above"]) from None
    return document if isinstance(document, dict) else {}
