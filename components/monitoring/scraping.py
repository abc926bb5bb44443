"""What a component on this machine gives to the monitoring: what is scraped of it, and which rules are evaluated."""

from __future__ import annotations

import pulumi

from mlstrata.components.local_host import LocalComponent
from mlstrata.components.supervision.file import ConfigFile
from mlstrata.services.alerts.prometheus import RULES_FOLDER, TARGETS_FOLDER, render_target
from mlstrata.services.alerts.rules import service_rules
from mlstrata.services.alerts.settings import PLATFORM, Target, Watched

PROMETHEUS = "prometheus"
PROMETHEUS_FOLDER = "config/prometheus"


def watched(
    component: LocalComponent,
    service: str,
    port: pulumi.Input[int],
    *,
    path: str = "/metrics",
    system: str = PLATFORM,
    owner: str = "",
) -> None:
    """Have Prometheus scrape a service and evaluate the rules about it.

    Args:
        component: What the service belongs to.
        service: Its name.
        port: The loopback port that gives its metrics.
        path: Their path.
        system: The AI system it serves.
        owner: Who is told; by default the environment's owner.
    """

    def render(number: float) -> str:
        return render_target(Target(service=service, port=int(number), path=path, system=system))

    content = pulumi.Output.from_input(port).apply(render)
    # Prometheus watches the folder, so it needs no signal.
    _contribute(component, f"{service}-target", f"{TARGETS_FOLDER}/{service}.json", content, None)
    told = Watched(service=service, owner=owner or component.host.owner, system=system)
    alerting(component, service, service_rules(told))


def alerting(component: LocalComponent, name: str, rules: str) -> None:
    """Have Prometheus evaluate rules; it reads them when it starts and when it is told to."""
    _contribute(component, f"{name}-alerts", f"{RULES_FOLDER}/{name}.yml", rules, (PROMETHEUS, "HUP"))


def _contribute(
    component: LocalComponent,
    resource: str,
    path: str,
    content: pulumi.Input[str],
    signals: tuple[str, str] | None,
) -> None:
    host = component.host
    file = ConfigFile(
        resource,
        home=host.home,
        socket=host.socket,
        path=f"{PROMETHEUS_FOLDER}/{path}",
        content=content,
        signals=signals,
        # After the supervisor, and so after every port: where one is in use, nothing at all is written.
        opts=component.child(after=[host.supervisor]),
    )
    host.contributions.append(file)
