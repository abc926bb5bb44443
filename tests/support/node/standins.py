"""What a cluster has that no image here can be: Seldon's operator, cert-manager's, a cloud's load balancer."""

from __future__ import annotations

import threading

from tests.support.node.balancer import Balancer
from tests.support.node.issuer import Issuer
from tests.support.node.node import Node
from tests.support.node.seldon import Operator


class StandIns:
    """They look about once a second, until they are ended; what they made stays."""

    def __init__(self, node: Node) -> None:
        self._turns = [Operator(node).turn, Issuer(node).turn, Balancer(node).turn]
        self._ended = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def end(self) -> None:
        """End them."""
        self._ended.set()
        self.thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(1):
            for turn in self._turns:
                turn()
