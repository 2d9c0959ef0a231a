"""Loading apps: finding their files, importing them, and the callable in them. One process, one set of projects."""
