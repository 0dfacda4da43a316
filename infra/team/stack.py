"""All services together: their order, their ports, and what a shell needs to use them."""

from __future__ import annotations

import json
import shlex
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from graphlib import TopologicalSorter
from pathlib import Path

from infra.team import fence
from infra.team.credentials import kept_in, write_private
from infra.team.fence import Fence
from infra.team.mlflow_server import MLflowServer
from infra.team.postgres import Postgres
from infra.team.prefect_server import PrefectServer, PrefectWorker
from infra.team.process import Service, TeamError
from infra.team.ray_cluster import RayNode
from infra.team.s3 import INSIDE_PORT, SeaweedFS

USUAL = {"postgres": 5433, "s3": 8333, "mlflow": 5000, "prefect": 4200, "ray": 8265}
RAY_NODES = 2
PATIENCE_S = 120.0  # a loaded machine of two cores takes a minute to make MLflow's tables
SHORT = 40  # bytes that a path may have to leave room for those of Ray's sockets below it


class Stack:
    """The services of one folder. hidden: folders that the nodes of the cluster see empty, besides each
    other's; cpus: processor slots of each node.
    """

    def __init__(
        self,
        folder: Path,
        ports: dict[str, int] | None = None,
        *,
        hidden: Sequence[Path] = (),
        cpus: int = 2,
        nodes_variables: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)  # PostgreSQL's user has to pass, and nobody to look
        self.ports = ports or self._kept_ports()
        self.credentials = kept = kept_in(self.folder / "credentials.json")
        self._nodes_variables = nodes_variables or {}
        fenced = fence.is_possible()
        self.fenced = fenced
        self.postgres = Postgres(self.folder / "postgres", self.ports["postgres"], kept.postgres_password)
        keys = (kept.s3_access_key, kept.s3_secret_key)
        self.s3_fence = Fence(self.folder / "s3-fence", {self.ports["s3"]: INSIDE_PORT}) if fenced else None
        self.s3 = SeaweedFS(self.folder / "s3", self.ports["s3"], keys, self.s3_fence)
        self.mlflow = MLflowServer(self.folder / "mlflow", self.ports["mlflow"], kept, self.postgres, self.s3)
        self.prefect = PrefectServer(
            self.folder / "prefect", self.ports["prefect"], kept.prefect_login, self.postgres
        )
        services_ports = [self.ports[name] for name in ("s3", "mlflow", "prefect")]
        self.ray_fence = (
            Fence(self.folder / "ray-fence", {self.ports["ray"]: 8265}, services_ports) if fenced else None
        )
        self.nodes: list[RayNode] = []
        places = [self.ray_folder / f"n{number}" for number in range(RAY_NODES)]
        for place in places if hidden else ():
            place.mkdir(parents=True, exist_ok=True)  # what is to be covered must be there
        for number, place in enumerate(places):
            others = [other for other in places if hidden and other != place]
            node = RayNode(
                place, number, page=self.ports["ray"], token=kept.ray_token, fence=self.ray_fence, cpus=cpus,
                head=self.nodes[0] if self.nodes else None, hidden=[*hidden, *others],
                variables=self._node_variables,
            )  # fmt: skip
            self.nodes.append(node)
        self.worker = PrefectWorker(
            self.folder / "worker", self.prefect, kept.prefect_login, self.client_variables
        )

    @property
    def ray_folder(self) -> Path:
        """Where Ray's nodes have their folders: below this stack's, or where that has too long a path for
        Ray's sockets, in the temporary folder; the same at every start.
        """
        if len(str(self.folder)) <= SHORT:
            return self.folder / "ray"
        note = self.folder / "ray-folder"
        if not note.is_file() or not Path(note.read_text()).is_dir():
            note.write_text(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))
        return Path(note.read_text())

    def client_variables(self) -> dict[str, str]:
        """What a laptop or a worker of this team has in its environment."""
        return {
            **self.s3.client_variables(),
            **self.mlflow.client_variables(),
            **self.prefect.client_variables(),
            **self.nodes[0].client_variables(),
            "REFOCUS_STORE": "s3://refocus/store",
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        }

    def _node_variables(self) -> dict[str, str]:
        return {
            **self.s3.client_variables(),
            **self.mlflow.client_variables(),
            "REFOCUS_STORE": "s3://refocus/store",
            **self._nodes_variables,
        }

    def services(self) -> list[Service]:
        """All of them, in the order in which they are started."""
        graph = {service: service.needs for service in (self.mlflow, self.worker, *self.nodes)}
        return list(TopologicalSorter(_with_needs(graph)).static_order())

    def start(self, *wanted: Service) -> Iterator[str]:
        """Start those services (without any: all) and what they need, as far as they do not run yet, each
        as soon as what it needs answers; say the name of each that answers. Raises TeamError.
        """
        graph = TopologicalSorter(_with_needs({each: each.needs for each in wanted or self.services()}))
        graph.prepare()
        waiting: dict[Service, float] = {}
        while graph.is_active():
            for service in graph.get_ready():
                service.start()
                waiting[service] = time.monotonic() + PATIENCE_S
            for service, until in list(waiting.items()):
                if service.ready():
                    del waiting[service]
                    graph.done(service)
                    yield service.name
                elif time.monotonic() > until:
                    raise TeamError(
                        f"{service.name} does not answer after {PATIENCE_S:.0f} s: {service.last_words()}"
                        f" ({service.log})"
                    )
            time.sleep(0.05)

    def stop(self, *which: Service) -> None:
        """End those services (without any: all), each before what it needs, else at once."""
        left = list(which or self.services())
        with ThreadPoolExecutor() as pool:
            while left:
                needed = {need for service in left for need in service.needs}
                now = [service for service in left if service not in needed]
                list(pool.map(lambda service: service.stop(), now))
                left = [service for service in left if service in needed]

    def that_need(self, service: Service) -> list[Service]:
        """A service and all that cannot be without it."""
        found = [service]
        found += [each for each in self.services() if each not in found and set(each.needs) & set(found)]
        return found

    def named(self, names: Sequence[str]) -> list[Service]:
        """Services by the names of their folders (postgres, s3, mlflow, …), and what they need; without a
        name all. Raises TeamError for a name that there is not.
        """
        there = {service.folder.name: service for service in self.services()}
        if unknown := [name for name in names if name not in there]:
            raise TeamError(f'there is no service "{unknown[0]}"; there are {", ".join(sorted(there))}')
        chosen = _with_needs({there[name]: there[name].needs for name in names or there})
        return [service for service in self.services() if service in chosen]

    def ended(self, *which: Service) -> list[Service]:
        """Those that do not run."""
        return [service for service in which or self.services() if service.pid is None]

    @property
    def shell_file(self) -> Path:
        """What a shell reads to work with the team's services."""
        return self.folder / "env.sh"

    def write_shell_file(self) -> None:
        """Write it, for this user alone."""
        given = sorted(self.client_variables().items())
        write_private(
            self.shell_file, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in given)
        )

    def _kept_ports(self) -> dict[str, int]:
        note = self.folder / "ports.json"
        return dict(json.loads(note.read_text())) if note.is_file() else dict(USUAL)

    def keep_ports(self) -> None:
        """Remember the ports for later starts."""
        (self.folder / "ports.json").write_text(json.dumps(self.ports))


def _with_needs(graph: dict[Service, tuple[Service, ...]]) -> dict[Service, tuple[Service, ...]]:
    """The same with what is needed by what is needed, to the ground."""
    further = {each: each.needs for needs in graph.values() for each in needs if each not in graph}
    return graph if not further else _with_needs(graph | further)


def free_ports(names: Sequence[str] = tuple(USUAL)) -> dict[str, int]:
    """A port for each at which nobody listens now."""
    held = [socket.socket() for _ in names]
    try:
        for place in held:
            place.bind(("127.0.0.1", 0))
        return {name: int(place.getsockname()[1]) for name, place in zip(names, held, strict=True)}
    finally:
        for place in held:
            place.close()
