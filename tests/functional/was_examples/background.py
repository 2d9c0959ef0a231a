"""The chapters "Background Tasks" and "Futures Response"."""

import threading
import time

from flask import Flask, Response, jsonify
from skitai import was

app = Flask(__name__)
done = []


def side_job(a, b):
    return str(a + b)


def noted(what):
    time.sleep(0.05)
    done.append((what, threading.current_thread().name))


@app.route("/accepted")
def accepted():
    req = was.get("@myupstream/something")
    return req.returning(Response("", 202, headers={"Content-Location": "/later"}))


@app.route("/accepted/two")
def accepted_two():
    reqs = [was.get("@myupstream/something"), was.post("@myupstream/something", {})]
    return was.Tasks(reqs).returning(Response("", 202, headers={"Content-Location": "/later"}))


@app.route("/process")
def process():
    ps = was.Process(side_job, 1000, -1000)
    result = ps.fetch()  # wait for finishing
    return Response(result, 200, headers={"Content-Type": "application/vnd-example"})


@app.route("/process/accepted")
def process_accepted():
    return was.Process(side_job, 1000, -1000).returning(Response("", 202, headers={"Content-Location": "/later"}))


@app.route("/thread/accepted")
def thread_accepted():
    return was.Thread(noted, "thread").returning(Response("202 Accepted", 202))


@app.route("/done")
def what_is_done():
    return jsonify(done)


@app.route("/subprocess")
def subprocess():
    return was.Subprocess("echo done", timeout=300).fetch()


@app.route("/futures")
def futures():
    def response(was, rss):
        return jsonified(status_code=[rs.status_code for rs in rss])

    reqs = [was.get("@myupstream/project/skitai/"), was.get("@myupstream/project/rs4/")]
    return was.Futures(reqs, timeout=2).then(response)


@app.route("/futures/named")
def futures_named():
    def response(was, rss, stock):
        stock["announcements"] = rss[0].fetch()["result"]
        return jsonified(**stock)

    stock = was.get("@myupstream/stock").one()
    reqs = [was.get("@myupstream/announcements")]
    return was.Futures(reqs).then(response, stock={"path": stock["path"]})


@app.route("/futures/chained")
def futures_chained():
    def respond(was, rss, b, status_code):
        return jsonified(status_code_db=[rs.status_code for rs in rss], b=b, status_code=status_code)

    def checkdb(was, rss, a):
        reqs = [was.get("@myupstream/stocks")]
        status_code = [rs.status_code for rs in rss]
        return was.Futures(reqs).then(respond, b=a + 100, status_code=status_code)

    reqs = [was.get("@myupstream/project/skitai/"), was.get("@myupstream/project/rs4/")]
    return was.Futures(reqs).then(checkdb, a=100)


def jsonified(**data):
    with app.app_context():
        return jsonify(**data)


@app.route("/proxy/<path:path>", methods=["GET", "POST"])
def proxy(path=None):
    return was.proxypass("@myupstream", path)


app.register_error_handler(was.Error, lambda error: (error.explain or error.status, error.status_code))
