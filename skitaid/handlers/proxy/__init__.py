"""The reverse proxy, and what the forward proxy shares with it: messages, bodies and tunnels on their way through."""
