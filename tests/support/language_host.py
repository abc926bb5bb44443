"""A host for Python programs over Pulumi's published protocol, so that tests can type `pulumi up`.

Pulumi's own host comes with the CLI's releases and is no Go module, so it cannot be built here. What this one does is
the least of its duties: it runs a program or a plugin in the interpreter that runs the tests. `language_host.py PORT…`
serves the engine; `language_host.py --program …`, which it starts for each run, runs one program.
"""

import asyncio
import contextlib
import functools
import json
import os
import queue
import runpy
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pulumi.runtime
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

BAIL = 32
"""How a program ends that has told its mistake itself."""
LARGEST_MESSAGE = 400 * 1024 * 1024
"""Bytes; the engine's own limit."""


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs and plugins, each in a process of its own."""

    def __init__(self, engine: str) -> None:
        self.engine, self.running = engine, set[subprocess.Popen[bytes]]()

    def Handshake(self, request: Any, context: Any) -> Any:
        self.engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="3.0.0")

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        # None: what is needed is on PATH.
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPluginsResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:
        return language_pb2.RuntimeOptionsResponse()

    def About(self, request: Any, context: Any) -> Any:
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def Run(self, request: Any, context: Any) -> Any:
        settings = {
            "project": request.project,
            "stack": request.stack,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization,
            "root_directory": request.info.root_directory,
            "monitor": request.monitor_address,
            "engine": self.engine,
        }
        # By the environment, as Pulumi's host does: a process list shows arguments.
        environment = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        program = str(Path(request.info.program_directory or request.pwd, request.info.entry_point or "."))
        command = [sys.executable, "-u", __file__, "--program", program, json.dumps(settings)]
        process = subprocess.Popen(command, cwd=request.pwd, env=environment, stdin=subprocess.DEVNULL)
        self.running.add(process)
        code = process.wait()
        self.running.discard(process)
        if code == BAIL:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"the program ended with exit code {code}" if code else "")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        variables = dict(one.split("=", 1) for one in request.env)
        # What is started is a policy pack, in its own folder; the SDK's runner takes the engine's address and the pack.
        folder = request.info.program_directory
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", *request.args, folder],
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.running.add(process)
        context.add_callback(process.terminate)
        said: queue.Queue[tuple[str, bytes]] = queue.Queue()
        readers = [
            threading.Thread(target=_read, args=(name, getattr(process, name), said), daemon=True)
            for name in ("stdout", "stderr")
        ]
        for reader in readers:
            reader.start()
        open_streams = len(readers)
        while open_streams:
            name, chunk = said.get()
            if chunk:
                yield language_pb2.RunPluginResponse(**{name: chunk})
            else:
                open_streams -= 1
        code = process.wait()
        self.running.discard(process)
        yield language_pb2.RunPluginResponse(exitcode=code)

    def Cancel(self, request: Any, context: Any) -> Any:
        for process in list(self.running):
            process.terminate()
        return empty_pb2.Empty()


def _read(name: str, stream: Any, said: queue.Queue[tuple[str, bytes]]) -> None:
    """Hand on what a process says as it says it; an empty chunk is its end."""
    for chunk in iter(functools.partial(stream.read1, 65536), b""):
        said.put((name, chunk))
    said.put((name, b""))


def serve(engine: str) -> None:
    """Serve the engine at this address until the process is ended."""
    options = [("grpc.max_receive_message_length", LARGEST_MESSAGE)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=options)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # so the CLI ends its hosts
        server.wait_for_termination()


def run(program: str, settings: dict[str, Any]) -> int:
    """Run a program as Pulumi's own executor does; return its exit code."""
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    pulumi.runtime.configure(pulumi.runtime.Settings(**settings))
    sys.argv = [program]
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    loop.set_default_executor(futures.ThreadPoolExecutor(max(settings["parallel"], 1) * 4))

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _execute(program)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except Exception:  # noqa: BLE001 - whatever a program raises is told
        pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
        return BAIL
    return 0


def _execute(program: str) -> None:
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1] == "--program":
        sys.exit(run(sys.argv[2], json.loads(sys.argv[3])))
    serve(sys.argv[-1])
