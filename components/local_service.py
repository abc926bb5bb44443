"""A service of ours on this machine: on a loopback port, behind a token, its settings in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from mlstrata.components.local_host import LocalComponent, loopback
from mlstrata.components.monitoring.scraping import watched
from mlstrata.components.supervision.credential import Credential
from mlstrata.components.supervision.service import File
from mlstrata.services.http import settings_file, token_file


class LocalService(LocalComponent):
    """A component with one service that our server runs (mlstrata.services.http.main) and Prometheus scrapes.

    Attributes:
        url: Its address.
        token: The credential that it asks for.
    """

    url: pulumi.Output[str]
    token: Credential

    def serve(
        self,
        service: str,
        module: str,
        port: pulumi.Input[int],
        settings: pulumi.Input[str],
        *,
        files: Mapping[str, File] | None = None,
        **args: Any,
    ) -> None:
        """Declare the service.

        Args:
            service: Its name.
            module: What `python -m` runs.
            port: Its loopback port.
            settings: The text of its settings.
            files: More files of its, by their place in the home.
            args: As `run` takes them.
        """
        home = self.host.home
        self.token = Credential(f"{service}-token", kind="token", opts=self.child())
        self.url = loopback(port)
        self.run(
            service,
            health=loopback(port, "/healthz"),
            ports={service: port},
            command=[
                str(self.host.binaries["python"]),
                *("-m", module, "--settings", str(home / settings_file(service))),
            ],
            files={
                settings_file(service): File(settings),
                token_file(service): File(self.token.secret),
                **(files or {}),
            },
            **args,
        )
        watched(self, service, port)
