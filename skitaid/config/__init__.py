"""Conf files: text to frozen dataclasses, with every problem of a file reported at once."""
