"""Logistic regression over several processes: each holds a part of the rows, and only sums of theirs travel.

The coordinator sends coefficients over a loopback socket; every worker answers with its part's loss and gradient; their
sum is that of all rows, so L-BFGS walks the way it would in one process (data parallelism, as in Zinkevich et al. 2010,
with a synchronous sum instead of an average). The objective is scikit-learn's: half the squared coefficients without
the intercept, plus C times the summed log loss, in which a row may count for more than another.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.outcome import StepError
from mlstrata_steps.tasks.output import BINARY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

ALGORITHM = "logistic_regression"
PARAMETERS = frozenset({"C", "max_iter", "tol"})
"""Hyperparameters that mean the same in several processes."""
KEY = "MLSTRATA_WORKER_KEY"
PATIENCE = 600
"""Seconds that a worker has to start or to answer."""


def check(algorithm: str, parameters: Mapping[str, object], task: str = BINARY, *, prose: Sequence[str] = ()) -> None:
    """Refuse what cannot be trained in several processes.

    Raises:
        StepError: The algorithm or a hyperparameter has no sum over rows here.
    """
    if algorithm != ALGORITHM:
        raise StepError(f"workers: {algorithm} is trained in one process; allowed with several: {ALGORITHM}")
    if task != BINARY:
        raise StepError(f"workers: a model of two classes is what several processes train, not {task}")
    if prose:
        raise StepError(f"workers: free text or images ({', '.join(prose)}) is learnt in one process; set workers: 1")
    unknown = sorted(set(parameters) - PARAMETERS)
    if unknown:
        allowed = ", ".join(sorted(PARAMETERS))
        raise StepError(f"parameters.{unknown[0]}: not with workers; allowed then: {allowed}")


def fit(
    pipeline: Pipeline,
    features: Any,
    labels: NDArray[np.int64],
    *,
    workers: int,
    weights: NDArray[np.float64] | None = None,
) -> dict[str, object]:
    """Fit a pipeline whose classifier is a logistic regression, the classifier's part in `workers` processes.

    Args:
        pipeline: Unfitted, of `estimator.build`.
        features: The training features.
        labels: Shape (rows,), 0 or 1.
        workers: Processes that hold rows.
        weights: Shape (rows,), how much each row counts; None: all alike.

    Returns:
        `rows` of each worker, their `processes`, `rounds` (sums asked for).

    Raises:
        StepError: A worker cannot be started or went away.
    """
    import numpy as np
    from scipy.optimize import minimize

    prepare, classifier = pipeline.named_steps["prepare"], pipeline.named_steps["classify"]
    matrix = np.ascontiguousarray(prepare.fit_transform(features), dtype="float64")
    counts = np.ones(len(labels)) if weights is None else weights
    parts = [part for part in np.array_split(np.arange(len(labels)), workers) if len(part)]
    with _workers(len(parts)) as (connections, processes):
        for connection, part in zip(connections, parts, strict=True):
            connection.send_bytes(np.array(matrix[part].shape, dtype="int64").tobytes())
            connection.send_bytes(matrix[part].tobytes())
            connection.send_bytes(labels[part].astype("float64").tobytes())
            connection.send_bytes(counts[part].astype("float64").tobytes())

        def total(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            for connection in connections:
                connection.send_bytes(point.tobytes())
            sums = np.sum([np.frombuffer(_answer(connection)) for connection in connections], axis=0)
            coefficients = point[:-1]
            loss = 0.5 * float(coefficients @ coefficients) + classifier.C * float(sums[0])
            return loss, classifier.C * sums[1:] + np.append(coefficients, 0.0)

        # Tighter than scikit-learn's: the sums come in another order, and both should meet at the one minimum.
        limits = {"maxiter": classifier.max_iter, "gtol": min(classifier.tol, 1e-6), "ftol": 1e-14}
        found = minimize(total, np.zeros(matrix.shape[1] + 1), jac=True, method="L-BFGS-B", options=limits)
        identities = [process.pid for process in processes]
    _complete(classifier, found.x, int(found.nit))
    return {"rows": [len(part) for part in parts], "processes": identities, "rounds": int(found.nfev)}


def _complete(classifier: LogisticRegression, weights: NDArray[np.float64], rounds: int) -> None:
    """Give a classifier what its own `fit` would have given it."""
    import numpy as np

    classifier.classes_ = np.array([0, 1], dtype="int64")
    classifier.coef_ = weights[None, :-1].copy()
    classifier.intercept_ = weights[-1:].copy()
    classifier.n_iter_ = np.array([rounds], dtype="int32")
    classifier.n_features_in_ = len(weights) - 1


@contextlib.contextmanager
def _workers(count: int) -> Iterator[tuple[list[Connection], list[subprocess.Popen[bytes]]]]:
    """Start workers and wait until each has called back; they end with the block, whatever happens in it."""
    key = secrets.token_bytes(32)
    processes: list[subprocess.Popen[bytes]] = []
    connections: list[Connection] = []
    with Listener(("127.0.0.1", 0), authkey=key) as listener:
        listener._listener._socket.settimeout(PATIENCE)  # type: ignore[attr-defined]
        package = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
        # One thread each: the processes are the parallelism.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        # The key goes by the environment: command lines can be read by everyone on the machine.
        environment = {**os.environ, **threads, "PYTHONPATH": path, KEY: key.hex()}
        try:
            port = str(listener.address[1])
            command = [sys.executable, "-m", "mlstrata_steps.distributed", port]
            processes = [subprocess.Popen(command, env=environment) for _ in range(count)]
            connections = [listener.accept() for _ in processes]
            yield connections, processes
        except (OSError, EOFError) as error:
            raise StepError(f"workers: one of {count} processes did not start or went away: {error!r}") from error
        finally:
            for connection in connections:
                connection.close()
            for process in processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5 if connections else 0)
                process.kill()
                process.wait()


def _answer(connection: Connection) -> bytes:
    if not connection.poll(PATIENCE):
        raise TimeoutError(f"no answer in {PATIENCE} s")
    return connection.recv_bytes()


def work(port: int, key: bytes) -> None:
    """Hold a part of the rows and answer coefficients with the part's loss and gradient, until nobody asks.

    Only arrays of numbers cross the socket, as bytes: nothing is unpickled on either side.
    """
    import numpy as np

    with Client(("127.0.0.1", port), authkey=key) as connection:
        shape = np.frombuffer(connection.recv_bytes(), dtype="int64")
        matrix = np.frombuffer(connection.recv_bytes()).reshape(shape)
        labels = np.frombuffer(connection.recv_bytes())
        counts = np.frombuffer(connection.recv_bytes())
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                point = np.frombuffer(connection.recv_bytes())
                scores = matrix @ point[:-1] + point[-1]
                errors = counts * (1 / (1 + np.exp(-np.clip(scores, -700, 700))) - labels)
                loss = float(counts @ (np.logaddexp(0, scores) - labels * scores))
                connection.send_bytes(np.concatenate([[loss], matrix.T @ errors, [errors.sum()]]).tobytes())


if __name__ == "__main__":
    work(int(sys.argv[1]), bytes.fromhex(os.environ.pop(KEY)))
