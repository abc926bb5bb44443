"""The registry says that it is well only while its store gives out what it keeps."""

import asyncio

from mlstrata.services.registry.health import Health


class Store:
    """A store that can be broken, and counts how often it is asked."""

    def __init__(self):
        self.broken = self.asked = 0

    def probe(self):
        self.asked += 1
        if self.broken:
            raise ConnectionError("http://127.0.0.1:1 with key AKIA")


class Registry:
    """An application behind the health, on a clock of the test's own."""

    def __init__(self):
        self.now, self.store = 0.0, Store()
        self.health = Health(self._app, self.store.probe, clock=lambda: self.now)

    async def _app(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"OK"})

    def ask(self, path="/health"):
        said = []

        async def send(message):
            said.append(message)

        asyncio.run(self.health({"type": "http", "method": "GET", "path": path}, None, send))
        return said[0]["status"], said[1]["body"].decode()


def test_it_is_well_while_the_store_gives_out():
    assert Registry().ask() == (200, "OK")


def test_it_is_ill_while_the_store_does_not_and_well_again_after():
    registry = Registry()
    registry.store.broken = True
    status, said = registry.ask()
    assert (status, said) == (503, "503: the store of artifacts does not give them out (ConnectionError)\n")
    registry.store.broken = False
    registry.now += 1.1
    assert registry.ask() == (200, "OK")


def test_what_is_wrong_is_told_without_address_and_keys():
    registry = Registry()
    registry.store.broken = True
    assert "AKIA" not in registry.ask()[1]
    assert "127.0.0.1" not in registry.ask()[1]


def test_many_who_ask_cost_the_store_one_look_a_second():
    registry = Registry()
    for _ in range(5):
        registry.ask()
    assert registry.store.asked == 1
    registry.now += 1.1
    registry.ask()
    assert registry.store.asked == 2


def test_nothing_else_waits_for_the_store():
    registry = Registry()
    registry.store.broken = True
    assert registry.ask("/api/2.0/mlflow/runs/search")[0] == 200
    assert registry.store.asked == 0


def test_without_what_it_stands_on_all_that_is_asked_is_503_and_the_process_still_lives(capsys):
    registry = Registry()
    registry.health = Health(
        registry._app, registry.store.probe, clock=lambda: registry.now, what="the database does not answer", whole=True
    )
    assert registry.ask("/api/2.0/mlflow/runs/get") == (200, "OK")
    registry.store.broken = True
    for _ in range(3):
        registry.now += 1.1
        assert registry.ask("/api/2.0/mlflow/runs/get")[0] == registry.ask()[0] == 503
        assert registry.ask("/alive")[0] == 200
    registry.store.broken = False
    registry.now += 1.1
    assert registry.ask("/api/2.0/mlflow/runs/get") == (200, "OK")
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "registry: the database does not answer (ConnectionError), answers are 503",
        "registry: well again",
    ], "a sentence when it begins and when it ends, not for each request"
