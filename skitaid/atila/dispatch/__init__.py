"""One request through an app: hooks, guards and its function, and from what that returned to what WSGI wants."""
