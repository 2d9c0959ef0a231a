"""What an app asks another server for, as bytes, and what comes back, as Python values: URLs and aliases, bodies and
content types, authorization, redirects, remote procedure calls.
"""
