"""A learner's container: on a volume and in a network of its own."""

import asyncio
from collections.abc import Callable
from typing import Any

from docker.errors import APIError, NotFound
from dockerspawner import DockerSpawner
from networks import free_subnet
from traitlets import Bool, Unicode

# A learner's server finds the hub by it.
HUB = "arena-hub"
# A network that leads nowhere has else an address of this machine, with all that listens there.
_WITHOUT_THE_HOST = {"com.docker.network.bridge.inhibit_ipv4": "true"}


class LearnerSpawner(DockerSpawner):
    """Starts a container that reaches hub, proxy and perhaps the internet, but no other learner."""

    class_name = Unicode(help="The class's name, in front of all that Docker keeps of it").tag(
        config=True
    )
    subnets = Unicode(help="Where the learners' networks take their addresses").tag(config=True)
    internet = Bool(help="Whether learners reach it").tag(config=True)

    async def start(self) -> Any:
        """Start the container, on the learner's volume and in the learner's network."""
        self.network_name = self.object_name
        await self._aside(self._make_volume)
        await self._aside(self._make_network)
        await self._aside(self._join)
        return await super().start()

    async def poll(self) -> Any:
        """Tell how the container ended, None where it runs; then it is to be reached."""
        state = await super().poll()
        if state is None:
            # A hub or proxy that was made anew is in no learner's network.
            self.network_name = self.object_name
            await self._aside(self._join)
        return state

    async def stop(self, now: bool = False) -> None:
        """Stop and remove the container, and its network; the volume stays."""
        await super().stop(now)
        await self._aside(self._remove_network)

    async def _aside(self, function: Callable[[], None]) -> None:
        # One at a time, in the thread in which DockerSpawner talks to the engine.
        await asyncio.wrap_future(self.executor.submit(function))

    def _labels(self) -> dict[str, str]:
        return {"arena-lab.class": self.class_name, "arena-lab.learner": self.user.name}

    def _make_volume(self) -> None:
        # Where there is one already it stays as it is.
        self.client.create_volume(self.object_name, labels=self._labels())

    def _make_network(self) -> None:
        # Another class on this machine may take the same addresses in between.
        for is_last in (False, False, True):
            try:
                return self._try_network()
            except APIError:
                if is_last:
                    raise

    def _try_network(self) -> None:
        networks = self.client.networks()
        there = [network for network in networks if network["Name"] == self.object_name]
        if there and there[0]["Internal"] == (not self.internet):
            return
        if there:  # of a server that died before the setting changed
            self._remove_network()
        pools = [pool for network in networks for pool in network["IPAM"]["Config"] or []]
        subnet = free_subnet(self.subnets, [pool["Subnet"] for pool in pools])
        self.client.create_network(
            self.object_name,
            driver="bridge",
            ipam={"Config": [{"Subnet": subnet}]},
            internal=not self.internet,
            options={} if self.internet else _WITHOUT_THE_HOST,
            labels=self._labels(),
        )

    def _services(self) -> dict[str, list[str]]:
        return {f"{self.class_name}-hub": [HUB], f"{self.class_name}-proxy": []}

    def _join(self) -> None:
        """See to it that hub and proxy are in the learner's network."""
        there = self.client.inspect_network(self.object_name)["Containers"].values()
        names = {container["Name"] for container in there}
        for service, aliases in self._services().items():
            if service not in names:
                self.client.connect_container_to_network(service, self.object_name, aliases=aliases)

    def _remove_network(self) -> None:
        for service in self._services():
            try:
                self.client.disconnect_container_from_network(service, self.object_name, force=True)
            except APIError as error:
                self.log.debug("%s was not in the network: %s", service, error)
        try:
            self.client.remove_network(self.object_name)
        except NotFound:
            pass
        except APIError as error:
            self.log.warning("the network %s stays: %s", self.object_name, error)
