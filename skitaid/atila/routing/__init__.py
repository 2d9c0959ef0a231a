"""Which function answers a path and a method, and the URLs of functions."""
