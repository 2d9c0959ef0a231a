"""What a browser keeps for an app: cookies, the session, and messages for the person in front of it."""
