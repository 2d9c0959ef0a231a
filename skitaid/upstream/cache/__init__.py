"""The response cache: a shared cache (RFC 9111) between those who call other servers and the clusters that carry the
calls. `rules` decides, `memory` and `disk` keep, `cluster` does.
"""
