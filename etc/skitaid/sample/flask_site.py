"""A Flask app, with nothing in it that knows about skitaid.

Flask comes with `make venv`; elsewhere: python3 -m pip install flask. Without it this path answers 500, the log says
why, and the rest of the site is not touched.
"""

from __future__ import annotations

from flask import Flask, jsonify, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

app = Flask(__name__, static_folder=None)


@app.get("/")
def index() -> str:
    return render_template("flask.html")


@app.get("/add/<int:first>/<int:second>")
def add(first: int, second: int) -> ResponseReturnValue:
    return jsonify(first=first, second=second, sum=first + second)


@app.errorhandler(NotFound)
def nothing_here(_: NotFound) -> ResponseReturnValue:
    return render_template("not_found.html", path="that path of the Flask app"), 404
