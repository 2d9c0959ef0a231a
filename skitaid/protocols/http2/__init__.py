"""HTTP/2 (RFC 9113), the server's side: bytes in, calls on a receiver out; heads and pieces in, frames out."""
