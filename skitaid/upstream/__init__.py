"""Calls to other servers: clusters of members, their health, pools of connections, a response cache. The reverse proxy
and the calls of apps go through the same clusters.
"""
