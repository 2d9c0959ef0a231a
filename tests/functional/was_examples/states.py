"""The chapters "Model Synchronized Cache", "Inter Process State Sharing" and "Utility Methods of 'was'"."""

import os

import skitai
from flask import Flask, jsonify, request
from skitai import was

app = Flask(__name__)

skitai.register_states("tables.users", "table.photos", "current-user", "cluster.num-nodes")


@skitai.register_states("tables.users")
class User:
    pass


@app.before_request
def before_request():
    was.setgs("current-user", was.getgs("current-user") + 1)


@app.teardown_request
def teardown_request(error):
    was.setgs("current-user", was.getgs("current-user") - 1)


@app.route("/current")
def current():
    return jsonify(was.getgs("current-user"))


@app.route("/update")
def update():
    # update last update time by key string
    was.setlu("tables.users")
    return "updated"


@app.route("/query1")
def query1():
    # determine if use cache or not by last update information 'users'
    req = was.get("@myapi/users", use_cache=was.getlu("tables.users"))
    return jsonify(req.fetch(2, 60)["nth"])


@app.route("/query2")
def query2():
    use_cache = was.getlu("tables.users", "table.photos")
    return jsonify(was.get("@myapi/both", use_cache=use_cache).fetch(2, 60)["nth"])


@app.route("/nodes", methods=["POST", "DELETE"])
def nodes():
    step = 1 if request.method == "POST" else -1
    was.setgs("cluster.num-nodes", was.getgs("cluster.num-nodes") + step, **request.args)
    return jsonify(was.getgs("cluster.num-nodes"))


@app.route("/utilities")
def utilities():
    with was.get_lock():
        name = was.gentemp()
    return jsonify(os.path.dirname(name), os.path.exists(name), "<table>" in was.status())


@app.route("/log")
def log():
    was.log("called index", "info")
    try:
        raise LookupError("nothing there")
    except LookupError:
        was.log("exception occured", "error")
        was.traceback()
        was.traceback("bp1")
    was.log("done index", "info")
    return "done"


@app.route("/push")
def push():
    was.push("/images/A.png")
    was.push("/images/B.png")
    return 'Promise Sent<br><br><img src="/images/A.png"><img src="/images/B.png">'


@app.route("/ids")
def ids():
    env = was.env
    calls = was.Tasks([was.get("@myapi/x"), was.get("@myapi/y")]).fetch()
    return jsonify([env["HTTP_X_GTXN_ID"], env["HTTP_X_LTXN_ID"]], *[call["ids"] for call in calls])


@app.route("/pid")
def pid():
    return str(os.getpid())


@app.route("/restart")
def restart():
    was.restart()
    return "restarting"


@app.route("/shutdown")
def shutdown():
    was.shutdown()
    return "stopping"
