"""skitaid: one daemon that runs the Python web apps of a machine from conf files."""

__version__ = "1.0.dev1"
