"""Addresses for the learners' networks: Docker's own pools hold some thirty, a class has more."""

import ipaddress
from collections.abc import Iterable

# The gateway, the hub, the proxy and the learner's server.
_PREFIX = 29


def free_subnet(pool: str, taken: Iterable[str]) -> str:
    """Give the first subnet of a pool that overlaps with none that is taken.

    Args:
        pool: Such as "10.213.0.0/16".
        taken: Other networks, in the same form; those of IPv6 do not count.

    Raises:
        ValueError: There is none left.
    """
    others = [network for name in taken if (network := ipaddress.ip_network(name)).version == 4]
    for subnet in ipaddress.ip_network(pool).subnets(new_prefix=_PREFIX):
        if not any(subnet.overlaps(other) for other in others):
            return str(subnet)
    raise ValueError(f"every network of {pool} is taken")
