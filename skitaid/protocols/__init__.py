"""Protocols without I/O: bytes to calls and calls to bytes. Nothing here opens a socket or reads a clock or a conf."""
