"""A desk where files lie: an Atila app with signing in, uploads, a JSON API, and calls to other pages.

Anybody may look. To put files down or take them away, sign in: any name, and the password below. A browser does so
with a form and a session, a program with a token:

    curl -u ada:desk -X POST http://127.0.0.1:5000/desk/api/token
    curl -H "Authorization: Bearer TOKEN" -F file=@notes.txt http://127.0.0.1:5000/desk/api/files
"""

from __future__ import annotations

import time
from typing import Any

from desk_files import Folder, FullError, signing_key
from responses import PROTECTION
from surroundings import data_folder

from skitaid.atila import Atila

PASSWORD = "desk"  # nosec: it is on the page, too
_MAX_FILE_BYTES = 1 << 20
_TOKEN_LIFE_S = 3600
_CALLED = ("/hello/desk", "/flask/add/20/22", "/live", "/nowhere")

app = Atila(__name__)
app.securekey = signing_key(data_folder())  # signs sessions and tokens
app.session_timeout = 1800  # seconds without a change
app.realm = "the desk"
app.config.max_upload_file_size = _MAX_FILE_BYTES
app.config.max_multipart_body_size = _MAX_FILE_BYTES + 65536  # the file, and the rest of its form
app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


# ---------------------------------------------------------------- around every page


@app.before_request
def protect(was: Any) -> None:
    was.response.set_headers(PROTECTION)


@app.default_error_handler
def show_error(was: Any, error: dict[str, Any]) -> Any:
    protect(was)  # what no function answers comes here without before_request
    return was.render("desk_error.html", error=error)


@app.template_filter("size")
def size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    return f"{count / 1024:.0f} KB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MB"


# ---------------------------------------------------------------- signing in


@app.login_handler
def ask_to_sign_in(was: Any) -> Any:
    if "name" in was.session:
        return None
    was.mbox.send("Please sign in first.", "problem")
    return was.redirect(was.ab("sign_in"), "303 See Other")


@app.route("/sign-in", methods=["GET", "POST"])
def sign_in(was: Any, name: str = "", password: str = "", **form: Any) -> Any:
    if was.request.method == "POST":
        if not was.csrf_verify():
            raise was.Error("400 Bad Request", "The form was open for too long. Load it again.")
        if name.strip() and password == PASSWORD:
            was.session.set("name", name.strip()[:60])
            was.mbox.send(f"Welcome, {was.session['name']}.", "good")
            return was.redirect(was.ab("desk"), "303 See Other")
        was.mbox.send(f"That did not fit. Any name will do, and the password is “{PASSWORD}”.", "problem")
    return was.render("desk_sign_in.html", name=name, password=PASSWORD)


@app.route("/sign-out", methods=["POST"])
def sign_out(was: Any, **form: Any) -> Any:
    if was.csrf_verify():
        was.session.expire()
    return was.redirect(was.ab("desk"), "303 See Other")


# ---------------------------------------------------------------- files


@app.route("/", methods=["GET"])
def desk(was: Any) -> Any:
    folder = Folder.of_site()
    return was.render("desk.html", files=folder.files() if folder else [], folder=folder, most=_MAX_FILE_BYTES)


@app.route("/files", methods=["POST"])
@app.login_required
def put(was: Any, **form: Any) -> Any:
    """`file` is an upload: in a temporary file until it is saved, gone with the request otherwise."""
    check_form(was)
    file = form.get("file")
    if file is None or isinstance(file, str):
        was.mbox.send("Choose a file first.", "problem")
    else:
        was.mbox.send(f"{open_folder(was).put(file)} lies on the desk.", "good")
    return was.redirect(was.ab("desk"), "303 See Other")


@app.route("/files/<path:name>", methods=["GET"])
def download(was: Any, name: str) -> Any:
    """As a download: what strangers put here is not shown as a page of this site."""
    return was.File(open_folder(was).path(name), "application/octet-stream", name)


@app.route("/remove/<path:name>", methods=["POST"])
@app.login_required
def remove(was: Any, name: str, **form: Any) -> Any:
    check_form(was)
    open_folder(was).remove(name)
    was.mbox.send(f"{name} is gone.", "good")
    return was.redirect(was.ab("desk"), "303 See Other")


def check_form(was: Any) -> None:
    if not was.csrf_verify():
        raise was.Error("400 Bad Request", "The form was open for too long. Go back and load the page again.")


def open_folder(was: Any) -> Folder:
    folder = Folder.of_site()
    if folder is None:
        raise was.Error("503 Service Unavailable", "The desk was set up without skitaid: there is no folder for files.")
    return folder


@app.failed_request
def tell(was: Any, exc_info: Any) -> Any:
    """What the folder has against a request is told as what it is; everything else goes on to the log."""
    error = exc_info[1]
    if isinstance(error, FileNotFoundError):
        return was.response.with_explain("404 Not Found", "No such file lies on the desk.")
    return was.response.with_explain("409 Conflict", str(error)) if isinstance(error, FullError) else None


# ---------------------------------------------------------------- the API


@app.authorization_handler
def password_of(was: Any, username: str) -> str:
    return PASSWORD


@app.route("/api/token", methods=["POST"], authenticate="basic")
def make_token(was: Any) -> Any:
    return was.API(token=was.mkjwt({"username": was.request.user.name, "exp": time.time() + _TOKEN_LIFE_S}))


@app.route("/api/files", methods=["GET"])
def list_files(was: Any) -> Any:
    return was.API(files=[{"name": each.name, "bytes": each.bytes} for each in open_folder(was).files()])


@app.route("/api/files", methods=["POST"])
@app.authorization_required("bearer")
def put_by_token(was: Any, **form: Any) -> Any:
    file = form.get("file")
    if file is None or isinstance(file, str):
        return was.Fault("400 Bad Request", "send a form with a file", 40001)
    return was.API("201 Created", name=open_folder(was).put(file), by=str(was.request.user))


# ---------------------------------------------------------------- calls to others


@app.route("/neighbours", methods=["GET"])
def neighbours(was: Any) -> Any:
    """Asks other pages of this site, all at once. No thread waits for them: `show` runs when they have answered."""
    began = time.monotonic()

    def show(was: Any, results: Any) -> Any:
        answers = [
            {"path": path, "status": result.status_code, "bytes": len(result.content or b"")}
            for path, result in zip(_CALLED, results, strict=True)
        ]
        return was.render("desk_neighbours.html", answers=answers, took_ms=(time.monotonic() - began) * 1000)

    site = f"http://127.0.0.1:{was.env['SERVER_PORT']}"
    return was.Tasks([was.get(site + path, timeout=3) for path in _CALLED]).then(show)
