"""HTTP/1.1 and 1.0 (RFC 9112): request heads, bodies and responses."""
