"""Measures the services of an environment and the machine, as Prometheus text (exposition format 0.0.4)."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlstrata.services.exporter.processes import marked_processes

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Positions in /proc/<pid>/stat after the command's name (proc(5) counts them from 3).
_UTIME, _STIME, _CUTIME, _CSTIME, _START, _RSS = 11, 12, 13, 14, 19, 21


@dataclass
class Use:
    """What one service uses: its processes, processor seconds, resident bytes, and when its first process started."""

    processes: int = 0
    cpu_seconds: float = 0.0
    resident_bytes: int = 0
    start_seconds: float = 0.0


def services(home: Path) -> dict[str, Use]:
    """Measure each service of the environment whose home folder is `home`."""
    booted = _booted()
    uses: defaultdict[str, Use] = defaultdict(Use)
    for process in marked_processes(home):
        try:
            stat = (Path("/proc") / str(process.pid) / "stat").read_text().rpartition(")")[2].split()
        except (OSError, UnicodeDecodeError):  # its name may be any bytes
            continue
        if len(stat) <= _RSS:
            continue
        use = uses[process.service]
        use.processes += 1
        use.cpu_seconds += sum(int(stat[at]) for at in (_UTIME, _STIME, _CUTIME, _CSTIME)) / _TICKS
        use.resident_bytes += int(stat[_RSS]) * _PAGE
        started = booted + int(stat[_START]) / _TICKS
        use.start_seconds = min(use.start_seconds or started, started)
    return dict(uses)


def machine(home: Path) -> dict[str, float]:
    """Measure the machine: memory, processors, and the disk that holds `home`."""
    disk = shutil.disk_usage(home)
    memory = _memory()
    return {
        "mlstrata_cpus": float(len(os.sched_getaffinity(0))),
        "mlstrata_memory_total_bytes": memory.get("MemTotal", 0.0),
        "mlstrata_memory_available_bytes": memory.get("MemAvailable", 0.0),
        "mlstrata_disk_size_bytes": float(disk.total),
        "mlstrata_disk_free_bytes": float(disk.free),
    }


def exposition(home: Path) -> str:
    """Return all measures as Prometheus text."""
    uses = services(home)
    families: list[tuple[str, str, Mapping[str, float]]] = [
        ("mlstrata_service_processes", "gauge", {name: float(use.processes) for name, use in uses.items()}),
        ("mlstrata_service_cpu_seconds_total", "counter", {name: use.cpu_seconds for name, use in uses.items()}),
        ("mlstrata_service_resident_bytes", "gauge", {name: float(use.resident_bytes) for name, use in uses.items()}),
        ("mlstrata_service_start_time_seconds", "gauge", {name: use.start_seconds for name, use in uses.items()}),
    ]
    lines: list[str] = []
    for family, kind, values in families:
        lines.append(f"# TYPE {family} {kind}")
        lines += [f'{family}{{service="{_label(name)}"}} {value!r}' for name, value in sorted(values.items())]
    # A folder that is gone, or a disk that fails, hides no service.
    with suppress(OSError):
        for name, value in machine(home).items():
            lines += [f"# TYPE {name} gauge", f"{name} {value!r}"]
    return "\n".join(lines) + "\n"


def _label(name: str) -> str:
    """Write a label's value: whatever a process calls itself, the lines of the others can be read."""
    return name.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _booted() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def _memory() -> dict[str, float]:
    values = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        values[name] = float(rest.split()[0]) * 1024
    return values
