"""What functions of an app return: whole responses, JSON, files and redirects, and the pages of what went wrong."""
