"""A cluster of RabbitMQ nodes on this machine: members that are killed, frozen, and come back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.servers import process
from tests.servers.rabbitmq import RabbitNode
from tests.servers.rabbitmq_home import Home

# As RabbitMQ's documentation advises for three nodes: who sees no majority waits for one.
_CONFIGURATION = """
cluster_partition_handling = pause_minority
"""
# The first node makes the cluster and looks for nobody; the others find it by its name.
_JOINING = """
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = {first}
"""


class RabbitCluster:
    """Nodes of one cluster, on loopback; `nodes` are killed, frozen and started one by one."""

    def __init__(self, folder: Path, size: int = 3, root: Path | None = None) -> None:
        self._home = Home(folder, root)
        self.nodes = [RabbitNode(_subfolder(folder, f"node{n}"), self._home) for n in range(size)]
        for node in self.nodes:
            node.configure(_CONFIGURATION)
        for node in self.nodes[1:]:
            node.configure(_JOINING.format(first=self.nodes[0].name))

    @property
    def urls(self) -> list[str]:
        """The URL of each node."""
        return [node.url for node in self.nodes]

    @property
    def url(self) -> str:
        """One URL that names all nodes."""
        parts = urlsplit(self.nodes[0].url)
        login = parts.netloc.rpartition("@")[0]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return parts._replace(netloc=f"{login}@{hosts}").geturl()

    def start(self) -> None:
        """Start what does not run; return when all of it is in the cluster."""
        self._home.start()
        first, *others = self.nodes
        first.start()
        with ThreadPoolExecutor() as at_once:
            list(at_once.map(RabbitNode.start, others))
        members = json.loads(first.control("--formatter=json", "cluster_status"))["running_nodes"]
        if sorted(members) != sorted(node.name for node in self.nodes):
            pytest.fail(f"the cluster has only these members: {members}")

    def leader_of(self, queue: str) -> RabbitNode:
        """Return the node that leads a quorum queue, as some running node knows it."""
        for asked in (node for node in self.nodes if node.is_running and not node.is_frozen):
            listed = asked.control("--formatter=json", "list_queues", "name", "leader")
            leaders = {each["name"]: each["leader"] for each in json.loads(listed)}
            if found := [node for node in self.nodes if node.name == leaders.get(queue)]:
                return found[0]
        pytest.fail(f"no running node knows who leads {queue}")

    def remove(self) -> None:
        """End everything that was started."""
        for node in self.nodes:
            node.kill()
        self._home.remove()


def _subfolder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    if owner := process.account():
        os.chown(path, owner.pw_uid, owner.pw_gid)
    return path


@contextmanager
def cluster(
    size: int = 3, root: Path | None = None, on_disk: bool = False
) -> Iterator[RabbitCluster]:
    """Yield a cluster that runs, gone afterwards."""
    with process.folder("cluster", on_disk) as folder:
        made = RabbitCluster(folder, size, root)
        try:
            made.start()
            yield made
        finally:
            made.remove()
