"""The API gateway: who may ask the servers behind mounted aliases."""
