"""The clusters of a worker with the cache before them; for callers that ask for clusters by name."""

from __future__ import annotations

from functools import partial
from typing import Final

from skitaid.upstream.cache.cache import ResponseCache
from skitaid.upstream.cache.cluster import CachedCluster
from skitaid.upstream.call import Call, Exchange, Receiver
from skitaid.upstream.cluster import Cluster
from skitaid.upstream.upstreams import Upstreams

__all__ = ["CachedUpstreams", "WholeCluster"]

_MAX_ORIGINS: Final = 1024


class WholeCluster(CachedCluster):
    """A CachedCluster that can also call one certain member: past the cache, as what one of them says is not what all
    of them say."""

    def __init__(self, cluster: Cluster, cache: ResponseCache, space: bytes) -> None:
        super().__init__(cluster, cache, space)
        self.cluster = cluster

    def request_member(self, index: int, call: Call, receiver: Receiver) -> Exchange:
        """Have `receiver` told of what the member with that index answers. Raises what the cluster raises."""
        return self.watch(call, receiver, partial(self.cluster.request_member, index))


class CachedUpstreams:
    """`Upstreams` with the response cache before each cluster. `site`: a name that keeps its responses apart from those
    of others that share the folder: another instance, or a proxy that may not lead where an app does."""

    def __init__(self, upstreams: Upstreams, cache: ResponseCache, site: str) -> None:
        self.cache = cache
        self._upstreams = upstreams
        self._site = site
        self._clusters: dict[str, WholeCluster] = {}
        self._origins: dict[tuple[str, str, int], WholeCluster] = {}

    def beside(self, upstreams: Upstreams, part: str) -> CachedUpstreams:
        """Other clusters before the same stores, that share nothing of what is kept."""
        return CachedUpstreams(upstreams, self.cache, f"{self._site}:{part}")

    def cluster(self, name: str) -> WholeCluster:
        """That of an alias. Raises NoClusterError."""
        found = self._clusters.get(name)
        if found is None:
            space = f"{self._site}@{name}".encode()
            found = self._clusters[name] = WholeCluster(self._upstreams.cluster(name), self.cache, space)
        return found

    def origin(self, scheme: str, host: str, port: int) -> WholeCluster:
        """That of a server by itself. Raises UpstreamError."""
        # First, as it is counted as being used by that.
        cluster = self._upstreams.origin(scheme, host, port)
        key = (scheme, host, port)
        found = self._origins.get(key)
        if found is None or found.cluster is not cluster:
            if len(self._origins) >= _MAX_ORIGINS:
                self._origins.clear()
            space = f"{self._site}:{scheme}://{host.lower()}:{port}".encode()
            found = self._origins[key] = WholeCluster(cluster, self.cache, space)
        return found
