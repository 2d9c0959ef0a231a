"""The chapter "HTTP/XMLRPC/Websocket Request" of the older documents, and what comes before it."""

import os

from flask import Flask, jsonify, render_template_string, request
from skitai import was

app = Flask(__name__)
LOGO = os.path.join(os.path.dirname(__file__), "logo.png")
url = "@myapi/v1/documents"


@app.route("/req")
def req():
    s = was.rpc("@myapi/rpc2")
    s.package_releases("roundup")
    result = s.getwait(2)
    return jsonify(list(result.data))


@app.route("/template")
def template():
    s = was.get("@myapi/slow?s=0.05")
    return render_template_string("{% set result = s.getwait (2) %}{{ result.code }} {{ result.data.path }}", s=s)


@app.route("/three")
def three():
    s1 = was.rpc("@myapi/rpc2")
    s1.package_releases("roundup")
    s2 = was.get("@myapi/together")
    s3 = was.get("@myapi/together")

    result1 = s1.getwait(20)
    result2 = s2.getwait(20)
    result3 = s3.getwait(20)
    return jsonify(result1.data, result2.code, result3.code)


@app.route("/get")
def get():
    url = request.args.get("url", "http://www.python.org")
    s = was.get(url)
    result = s.getwait(5)  # timeout
    if result.status == 3 and result.code == 200:
        return result.data
    return result.reraise()


@app.route("/post")
def post():
    s1 = was.post(url, {"user": "Hans Roh", "comment": "Hello"})
    s2 = was.upload(url, {"user": "Hans Roh", "file": open(LOGO, "rb")})  # noqa: SIM115

    result1 = s1.getwait(20)
    result2 = s2.getwait(20)
    return jsonify(result1.data, result2.data)


@app.route("/form")
def form():
    s = was.post(
        url, {"user": "Hans Roh", "comment": "Hello"}, headers={"content-Type": "application/x-www-form-urlencoded"}
    )
    # This is exactly same as:
    same = was.postform(url, {"user": "Hans Roh", "comment": "Hello"})
    return jsonify(s.getwait(20).data, same.getwait(20).data)


@app.route("/prime")
def prime():
    s = was.rpc("@myapi/rpc2")
    s.get_prime_number_gt(10000)
    result = s.getwait(20)
    return jsonify(result.data)


@app.route("/auth")
def auth():
    username, password = "user", "secret"
    s = was.rpc("@myapi/auth/rpc2", auth=(username, password))
    s.get_prime_number_gt(10000)
    result = s.getwait(20)
    return jsonify(result.code, result.data)


@app.route("/json")
def json():
    return jsonify(was.fromjson(was.tojson({"keyword": "snowboard binding"})))


app.register_error_handler(was.Error, lambda error: (error.explain or error.status, error.status_code))
