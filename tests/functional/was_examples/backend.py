"""What the examples call: an API, XML-RPC and JSON-RPC, on several addresses, one for each member."""

import json
import threading
import time
from base64 import b64encode
from collections import Counter
from urllib.parse import parse_qs
from xmlrpc.client import dumps, loads

counted = Counter()
lock = threading.Lock()
two = threading.Barrier(2)
CREDENTIALS = "Basic " + b64encode(b"user:secret").decode()


def count(what):
    with lock:
        counted[what] += 1
        return counted[what]


METHODS = {
    "get_version": lambda environ, name: "0.29",
    "some_method": lambda environ, a, b: a + b,
    "package_releases": lambda environ, name: ["1.0", "1.1"],
    "get_prime_number_gt": lambda environ, number: 10007,
    "search": lambda environ, keyword: [f"{keyword}@{environ['SERVER_PORT']}"],
    "getinfo": lambda environ: {"port": environ["SERVER_PORT"], "nth": count("getinfo")},
}


def xmlrpc(environ, body):
    arguments, method = loads(body)
    return "text/xml", dumps((METHODS[method](environ, *arguments),), methodresponse=True)


def jsonrpc(environ, body):
    call = json.loads(body)
    result = METHODS[call["method"]](environ, *call.get("params", ()))
    return "application/json", json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result})


def api(environ, body, query):
    if "s" in query:
        time.sleep(float(query["s"][0]))
    if environ["PATH_INFO"] == "/together":
        two.wait(20)
    told = {
        "result": "ok",
        "nth": count(environ["PATH_INFO"]),
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "type": environ.get("CONTENT_TYPE", ""),
        "accept": environ.get("HTTP_ACCEPT", ""),
        "body": body.decode("latin-1"),
        "port": environ["SERVER_PORT"],
        "ids": [environ["HTTP_X_GTXN_ID"], environ["HTTP_X_LTXN_ID"]],
    }
    if "xml" in environ.get("HTTP_ACCEPT", ""):
        return "text/xml", f"<told>{told['body']}</told>"
    return "application/json", json.dumps(told)


def answer(environ):
    path, query = environ["PATH_INFO"], parse_qs(environ["QUERY_STRING"])
    body = environ["wsgi.input"].read()
    if path == "/auth/rpc2" and environ.get("HTTP_AUTHORIZATION") != CREDENTIALS:
        return "401 Unauthorized", ("text/plain", "who?")
    if path.endswith("/rpc2"):
        rpc = jsonrpc if environ.get("CONTENT_TYPE", "").startswith("application/json") else xmlrpc
        return "200 OK", rpc(environ, body)
    if path.startswith("/status/"):
        return f"{path[8:11]} Told So", api(environ, body, query)
    return "200 OK", api(environ, body, query)


def app(environ, start_response):
    status, (kind, text) = answer(environ)
    fields = [("Content-Type", kind)]
    if status.startswith("401"):
        fields.append(("WWW-Authenticate", 'Basic realm="x"'))
    start_response(status, fields)
    return [text.encode()]
