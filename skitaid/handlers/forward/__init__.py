"""The forward proxy: who may use it, where it leads, and what passes through it."""
