"""What an app asks other servers for, in the app's words: `was.get` and its like, remote procedure calls, gRPC."""
