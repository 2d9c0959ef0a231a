"""The other app: what it is set to comes from the conf, and from its package's bootstrap, where it has one."""

from __future__ import annotations

from skitai.saddle import Saddle

app = Saddle(__name__)
app.config.save_path = "nowhere"


@app.route("/query")
def query(was, q):
    return q


@app.route("/fail")
def fail(was):
    raise LookupError("of the app")
