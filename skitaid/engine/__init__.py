"""The engine: one event loop and its app threads, connections and streams.

Who touches what: the loop thread accepts, reads, parses and closes; an app thread may send on the connection whose
request it runs. Nothing on the loop thread may block.
"""
