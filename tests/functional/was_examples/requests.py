"""Calls, as the chapters "Basic", "Calling API", "Tasks" and "Request As Many You Need" have them."""

import skitai
from flask import Flask, Response, jsonify
from skitai import was

app = Flask(__name__)
url = "@myapi/v1/documents"


@app.route("/")
def hello():
    return was.get("@myapi/v1/some-resources/100").fetch()


@app.route("/rpc")
def rpc():
    with was.xmlrpc("@myapi/rpc2") as stub:
        task = stub.some_method(1, 2)
    return jsonify(task.fetch())


@app.route("/tasks")
def tasks():
    task1, task2 = was.get(url), was.post(url, {"a": 1})
    tasks = was.Tasks([task1, task2])
    result1, result2 = tasks.fetch()
    return jsonify(result1, result2)


@app.route("/mask")
def mask():
    task = was.Mask(1)
    result = task.fetch()
    tasks = was.Mask([1, 2])
    result1, result2 = tasks.fetch()
    return jsonify(result, result1, result2)


@app.route("/returning")
def returning():
    return was.post("@myapi/v1/jobs").returning(Response("202 Accepted", 202))


@app.route("/one")
def one():
    req = was.get(url)
    resp = req.dispatch(timeout=3)
    return resp.data


@app.route("/two")
def two():
    req1 = was.get(url)
    req2 = was.post(url, {"user": "Hans Roh", "comment": "Hello"})
    response1 = req1.dispatch(timeout=3)
    response2 = req2.dispatch(timeout=3)
    return jsonify([response1.data, response2.data])


@app.route("/response")
def response():
    req = was.get(url)
    response = req.dispatch(5)  # timeout
    assert response.status == skitai.STA_NORMAL
    return jsonify(response.status_code, response.reason, response.get_header("Content-Type"), response.data["result"])


@app.route("/or_throw")
def or_throw():
    req = was.get("@myapi/status/404")
    response = req.dispatch_or_throw(5)  # timeout
    return response.data


@app.route("/fetch")
def fetch():
    req = was.get(url)
    result = req.fetch(5)  # timeout and {"result": "ok"}
    return dict(result)


@app.route("/headers")
def headers():
    data = {"Title": "...", "Content": "..."}
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/xml")]
    req = was.post("@delune/documents", data, headers=headers)
    return req.dispatch(5).text


@app.route("/methods")
def methods():
    tasks = [getattr(was, name)(url) for name in ("get", "delete", "post", "put", "patch", "upload", "options")]
    return jsonify([task.fetch(5)["method"] for task in tasks])


@app.route("/pack")
def pack():
    reqs = [was.get(url), was.post(url, {"user": "Hans Roh", "comment": "Hello"})]
    a, b = was.Tasks(reqs, timeout=3).fetch()
    return jsonify(a=a, b=b)


@app.route("/pack/more")
def pack_more():
    tasks = was.Tasks([was.get(url)], timeout=3, user="Hans")
    tasks.add(was.get(url))
    tasks.merge(was.Tasks([was.get(url), was.get(url)]))
    tasks.wait()
    return jsonify(codes=[rs.status_code for rs in tasks.dispatch()], meta=tasks.meta, first=tasks[0].data["result"])


@app.route("/stub")
def stub():
    with was.xmlrpc("@myapi/rpc2") as stub:
        req = stub.get_version("skitai")
        first = req.fetch()
        # or single line
        return jsonify(first, stub.get_version("skitai").fetch())


@app.route("/many")
def many():
    reqs = []
    reqs.append(was.post("@myapi/upload", {"data": "..."}))
    reqs.append(was.get("@myapi/status/500"))

    with was.jsonrpc("@myapi/rpc2") as stub:
        reqs.append(stub.get_version("skitai"))
        reqs.append(stub.get_version("atila"))

    contents = []
    for rs in was.Tasks(reqs, 3):
        if rs.status_code != 200:
            contents.append("Error")
        else:
            contents.append(str(rs.data))
    return jsonify(contents)


app.register_error_handler(was.Error, lambda error: (error.explain or error.status, error.status_code))
