"""What a call sends and what its reply means: targets, fields and credentials, bodies by their content types and
codings, the messages of remote procedure calls.
"""
