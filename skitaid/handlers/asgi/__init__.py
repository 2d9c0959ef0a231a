"""ASGI apps (https://asgi.readthedocs.io): what they are told, how they answer, and how they begin and end."""
