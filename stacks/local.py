"""An environment on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pulumi

from components.binaries import Binaries, find
from components.gateway.args import Entrance, GatewayArgs
from components.gateway.local import Gateway
from components.governance.system import AISystem, AISystemArgs
from components.host import Host, loopback
from components.monitoring.args import MonitoringArgs
from components.monitoring.local import Monitoring
from components.platform.args import PlatformArgs
from components.platform.local import Platform
from components.registry.args import RegistryArgs
from components.registry.local import Registry
from components.serving.args import Endpoint, ServingArgs, serving_name
from components.serving.local import Serving
from components.supervision.file import ConfigFile
from components.supervision.ports import Ports
from environments import Capability, EnvironmentSpec, SystemSpec, Workspace
from services.alerts.settings import Promise
from services.gateway.settings import Consumer
from stacks.contracts import LocalEnvironment
