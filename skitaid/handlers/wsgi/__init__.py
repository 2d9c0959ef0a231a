"""WSGI apps (PEP 3333): what they are told, how they answer, and the threads that call them."""
