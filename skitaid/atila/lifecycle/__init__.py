"""The life of an app in a process: its beginning and end, its events, and the jobs that it does between requests."""
