"""Modules of the package `skitai`: skitaid.compat.skitai finds them here."""
