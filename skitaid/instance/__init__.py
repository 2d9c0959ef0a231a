"""One instance: a master that holds the sockets, and workers that serve. Here a conf becomes a running engine."""
