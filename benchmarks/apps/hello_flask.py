"""The same as an app of Flask."""

from __future__ import annotations

from typing import Any

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "Hello, World!"


@app.route("/echo", methods=["GET", "POST"])
def echo() -> Any:
    return jsonify(request.get_json() if request.method == "POST" else {})
