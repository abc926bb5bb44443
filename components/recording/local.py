"""The recorder on this machine: an embedded store behind a service on loopback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pulumi

from mlstrata.components.governance.part import Part, PartArgs
from mlstrata.components.local_host import Host, LocalComponent
from mlstrata.components.local_service import LocalService
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import alerting
from mlstrata.components.recording.args import RecorderArgs
from mlstrata.components.recording.outputs import RecordingOutputs
from mlstrata.components.supervision.credential import Credential
from mlstrata.components.supervision.service import File
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.alerts.rules import recorder_rules, service_rounds
from mlstrata.services.recording.names import KEY_FILE, PROTECTED, SERVICE, TOKEN_FILE, WORKDIR
from mlstrata.services.recording.settings import RecorderSettings, recorded

_DAY = 86_400


class Recording(LocalComponent):
    """That the predictions of one AI system are recorded, and that somebody is told where they are not."""

    def __init__(
        self, name: str, host: Host, system: SystemSpec, owner: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        facts = system.recording.model_dump(mode="json", exclude_none=True)
        super().__init__("recording", name, host, opts, **facts)
        alerting(self, name, recorder_rules({system.name: owner}))
        self.register_outputs({})


class Recorder(LocalService):
    """Keeps each prediction, and what becomes known of it.

    Attributes:
        key: The environment's key of pseudonyms and of persons' hashes: another one would part a person from what is
            recorded of them, so it is kept as long as the environment is.
    """

    def __init__(self, name: str, args: RecorderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        kept = args.spec.retention.predictions.total_seconds() / _DAY
        super().__init__("recording", name, args.host, opts, kept_days=kept)
        self.key = Credential(f"{SERVICE}-subject-key", kind="token", opts=self.child())
        self.serve(
            SERVICE,
            "mlstrata.services.recording",
            args.port,
            pulumi.Output.from_input(args.port).apply(_settings(args.spec, args.host.home)),
            files={KEY_FILE: File(self.key.secret)},
            folders=(WORKDIR, PROTECTED),
            # What is being kept gets its time: a batch is short, and a spill sends again what was cut off.
            stop_seconds=15,
        )
        Part("recorder-of-predictions", PartArgs("recorder", SERVICE), self.child())
        Part("protected-attributes", PartArgs("protected", PROTECTED), self.child())
        alerting(self, f"{SERVICE}-rounds", service_rounds(SERVICE, args.host.owner))
        self.register_outputs({"url": self.url})


def _settings(spec: EnvironmentSpec, home: Path) -> Callable[[float], str]:
    """Return what renders the service's settings once its port is known."""

    def render(port: float) -> str:
        settings = RecorderSettings(
            port=int(port),
            token_file=home / TOKEN_FILE,
            home=home,
            predictions=spec.retention.predictions.total_seconds(),
            systems=recorded(spec),
        )
        return settings.model_dump_json(indent=1) + "\n"

    return render


def build(site: LocalSite) -> RecordingOutputs:
    """Build the recorder of the environment, and the recording of every system that answers requests."""
    args = RecorderArgs(site.host, site.ports[SERVICE].port(SERVICE), site.spec)
    recorder = Recorder(SERVICE, args)
    for system in site.realtime:
        own = site.systems[system.name].child()
        Recording(f"recording-{system.name}", site.host, system, site.owner_of(system), own)
    return RecordingOutputs(recorder.url)
