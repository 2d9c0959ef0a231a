"""The chapters "Load-Balancing", "Map-Reducing" and "Caching Result"."""

from flask import Flask, jsonify, request
from skitai import was

app = Flask(__name__)


@app.route("/search")
def search():
    keyword = request.args.get("keyword", "Mozart")
    with was.jsonrpc.lb("@mysearch/rpc2") as stub:
        s = stub.search(keyword)
        results = s.dispatch(timeout=5)
        first = results.data

        # or short hand
        return jsonify(first + stub.search(keyword).fetch(5))


@app.route("/search/all")
def search_all():
    keyword = request.args.get("keyword", "Mozart")
    with was.rpc.map("@mysearch/rpc2") as stub:
        req = stub.search(keyword)
        results = req.dispatch(timeout=2)

    all_results = []
    for result in results:
        all_results.extend(result.data)
    return jsonify(all_results)


@app.route("/cached")
def cached():
    s = was.rpc("@one/rpc2").getinfo()
    result = s.dispatch(60, timeout=2)  # cache seconds
    return jsonify(result.data)


@app.route("/cached/all")
def cached_all():
    s = was.rpc.map("@mysearch/rpc2").getinfo()
    results = s.dispatch(60, timeout=2)
    return jsonify([result.data for result in results])


@app.route("/refreshed", methods=["GET", "POST"])
def refreshed():
    refreshed = False
    if request.method == "POST":
        refreshed = True

    s = was.rpc("@one/rpc2", use_cache=(not refreshed and True) or False).getinfo()
    result = s.fetch(2, 60)
    return jsonify(result)


@app.route("/cached/codes")
def cached_codes():
    s = was.get("@one/status/201")
    result = s.dispatch(60, (200, 201), timeout=2)
    return jsonify(result.data["nth"])


@app.route("/older")
def older():
    s = was.rpc.lb("@one/rpc2")
    s.getinfo()
    result = s.getwait(2)
    if result.code == 200:
        result.cache(60)  # 60 seconds
    return jsonify(result.data)


@app.route("/older/all")
def older_all():
    s = was.get.map("@mysearch/older")
    results = s.getswait(2)
    # assume @mysearch has 3 members
    if results.code == [200, 200, 200]:
        results.cache(60)
    return jsonify([result.data["nth"] for result in results])


@app.route("/older/reraise")
def older_reraise():
    s = was.get.lb("@one/older/reraise")
    content = s.getswait(2, reraise=True).data
    s.cache(60)
    return jsonify(content["nth"])
