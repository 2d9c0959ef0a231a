"""Log files: the format of a line, files that survive rotation and a full disk, and the request log."""
