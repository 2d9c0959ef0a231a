"""An app that is never imported: conf files are checked without it."""


def app(environ, start_response):
    start_response("200 OK", [])
    return []
