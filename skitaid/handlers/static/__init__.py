"""Files of a folder: finding them, what is told of them, and sending them."""
