"""The blog of Flask's tutorial, shortened: a factory, blueprints, sessions, forms, SQLite, templates, static files."""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, abort, current_app, flash, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

SCHEMA = """
CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, username TEXT UNIQUE NOT NULL, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS post (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL, title TEXT NOT NULL, body TEXT);
"""
auth = Blueprint("auth", __name__, url_prefix="/auth")
blog = Blueprint("blog", __name__)


def create_app() -> Flask:
    made = Flask(__name__)
    made.config.from_mapping(SECRET_KEY="dev", DATABASE=os.environ["FLASKR_DATABASE"])
    made.register_blueprint(auth)
    made.register_blueprint(blog)
    made.add_url_rule("/", endpoint="index")
    made.teardown_appcontext(close_db)
    with made.app_context():
        get_db().executescript(SCHEMA)
    return made


def get_db() -> sqlite3.Connection:
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
    return g.db  # type: ignore[no-any-return]  # whatever is put there


def close_db(error: BaseException | None = None) -> None:
    db = g.pop("db", None)
    if db is not None:
        db.close()


def login_required(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def wrapped(**arguments: Any) -> Any:
        return redirect(url_for("auth.login")) if g.user is None else view(**arguments)

    return wrapped


@auth.before_app_request
def load_logged_in_user() -> None:
    user_id = session.get("user_id")
    g.user = get_db().execute("SELECT * FROM user WHERE id = ?", (user_id,)).fetchone()


@auth.route("/register", methods=("GET", "POST"))
def register() -> str | Response:
    if request.method == "POST":
        values = (request.form["username"], generate_password_hash(request.form["password"], "pbkdf2:sha256:1"))
        try:
            get_db().execute("INSERT INTO user (username, password) VALUES (?, ?)", values)
            get_db().commit()
        except sqlite3.IntegrityError:
            flash(f"User {values[0]} is already registered.")
        else:
            return redirect(url_for("auth.login"))
    return render_template("form.html", title="Register")


@auth.route("/login", methods=("GET", "POST"))
def login() -> str | Response:
    if request.method == "POST":
        user = get_db().execute("SELECT * FROM user WHERE username = ?", (request.form["username"],)).fetchone()
        if user is not None and check_password_hash(user["password"], request.form["password"]):
            session.clear()
            session["user_id"] = user["id"]
            return redirect(url_for("index"))
        flash("Incorrect username or password.")
    return render_template("form.html", title="Log In")


@blog.route("/")
def index() -> str:
    posts = get_db().execute("SELECT * FROM post JOIN user ON post.author_id = user.id ORDER BY post.id DESC")
    return render_template("index.html", posts=posts.fetchall())


@blog.route("/create", methods=("POST",))
@login_required
def create() -> Response:
    if not request.form["title"]:
        abort(400)
    row = (g.user["id"], request.form["title"], request.form["body"])
    get_db().execute("INSERT INTO post (author_id, title, body) VALUES (?, ?, ?)", row)
    get_db().commit()
    return redirect(url_for("index"))


app = create_app()
