"""`was.request`: a request, its values, and the files and the body that came with it."""
