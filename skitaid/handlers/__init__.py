"""What answers a request: the router and the handlers it chooses from."""
