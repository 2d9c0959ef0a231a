"""Templates: the examples of the documents, escaping, other signs."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import jinja2
import pytest

from skitaid.atila import Atila
from skitaid.atila.templates.overlay import overlay_options
from tests.unit.atila.browser import Browser

PAGES = {
    "index.html": '{{ was.cookie.username }} choices item {{ was.request.args.get ("choice", "N/A") }}.\n'
    "<a href=\"{{ was.ab ('checkout', choice) }}\">Proceed</a>",
    "g.html": "{% set g = was.g }} {# make shortcut #}".replace("}}", "%}")
    + 'Checkout for {{ g.howmany }} {{ g.product }}{{g.howmany > 1 and "s" or ""}}',
    "hello.html": "{{ text }}",
    "hello.txt": "{{ text }}",
    "msg.htm": """Messages To {{ name }},
  <ul>
    {% for message_id, category, created, valid, msg, extra in was.mbox.get () %}
      <li> {{ category }}: {{ msg }}</li>
    {% endfor %}
  </ul>""",
    "filter.html": '{{ "Hello" | reverse }} {{ test_global () }} {{ shout ("a", twice=True) }} {{ form_token() }}',
    "macros.html": "{% macro who() %}{{ was.request.args.name }} {{ test_global() }}{% endmacro %}",
    "imports.html": '{% from "macros.html" import who %}{{ who() }}',
    "throw.html": '{{ was.response.throw ("500 Internal Server Error") }}',
    "csrf.html": "<form>\n{{ was.csrf_token_input }}\n</form>",
    "old.html": """% for group in stat|groupby ('nation'):
  <h1>{% block sectionname scoped }Population of #group.grouper#{% endblock }</h1>
  % for row in group.list:
    <h2>#row.state#</h1>
    <a href="#was.ab ('state_view', row.nation, loop.index)#">#row.population#</a>
    <a href="##" onclick="javascript: create_map ('#row.state#');">Map</a>
  % endfor
% endfor
%% nobody sees this
% raw:
  %HOME%/bin
  <a href="#" onclick="javascript: create_map ();">Map</a>
% endraw
#a##b##'#'#
""",
    "layout.htm": "<title>{% block title }{% endblock }</title>\n",
    "child.htm": '% extends "layout.htm"\n% block title:\nDash Board\n% endblock\n',
    "lines.html": "% for each in [1, 2]:\n{{ each }}{# no #}\n% endfor\n%% no\n##",
}


@pytest.fixture
def app(tmp_path: Path) -> Atila:
    app = Atila("app")
    app.securekey = "a key"
    app.home = str(tmp_path)
    for name, text in PAGES.items():
        path = tmp_path / "templates" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    @app.route("/checkout")
    def checkout(was: Any, choice: int) -> str:
        return str(choice)

    @app.route("/state")
    def state_view(was: Any, nation: str, index: int) -> str:
        return nation

    @app.route("/page/<name>")
    def page(was: Any, name: str, **values: Any) -> Any:
        return was.render(f"{name}.html", **values)

    return app


def test_the_examples_of_the_documents(app: Atila) -> None:
    @app.route("/by-dict")
    def by_dict(was: Any) -> Any:
        return was.render("index.html", {"choice": 2, "product": "Apples"})

    @app.route("/both")
    def both(was: Any) -> Any:
        return was.render("index.html", {"choice": 2}, product="Apples")

    @app.route("/g")
    def by_g(was: Any) -> Any:
        was.g.product = "Apple"
        was.g.howmany = 10
        return was.render("g.html")

    browser = Browser(app, cookies={"username": "hans"})
    expected = 'hans choices item {}.\n<a href="/checkout?choice=2">Proceed</a>'
    assert browser.get("/page/index?choice=2&product=Apples").text == expected.format(2)
    assert browser.get("/by-dict").text == expected.format("N/A")
    assert browser.get("/both").status == 500
    assert browser.get("/g").text.strip() == "Checkout for 10 Apples"


def test_what_is_put_in_a_page_is_escaped_and_in_plain_text_is_not(app: Atila) -> None:
    @app.route("/text")
    def text(was: Any) -> Any:
        return was.render("hello.txt", text="<b>")

    browser = Browser(app)
    assert browser.get("/page/hello?text=<b>'").text == "&lt;b&gt;&#39;"
    assert browser.get("/text").text == "<b>"
    assert '<input type="hidden" name="XSRF_TOKEN" value="' in browser.get("/page/csrf").text


def test_messages_in_a_page(app: Atila) -> None:
    @app.route("/msg")
    def msg(was: Any) -> Any:
        was.mbox.send("This is <Flash>", "flash")
        return was.render("msg.htm", name="Hans")

    assert "<li> flash: This is &lt;Flash&gt;</li>" in Browser(app).get("/msg").text


def test_filters_and_globals(app: Atila) -> None:
    @app.template_global("test_global")
    def test(was: Any) -> str:
        return ", ".join(was.request.args.keys())

    @app.template_global
    def shout(was: Any, text: str, twice: bool = False) -> str:
        return text.upper() * (2 if twice else 1)

    @app.template_filter("reverse")
    def reverse_filter(s: str) -> str:
        return s[::-1]

    def generate_form_token() -> str:
        return "t"

    app.jinja_env.globals["form_token"] = generate_form_token
    browser = Browser(app)
    assert browser.get("/page/filter?a=1&b=2").text == "olleH a, b, name AA t"
    assert browser.get("/page/imports?other=x").text == "imports other, name"


def test_what_is_added_after_the_first_page(app: Atila) -> None:
    assert Browser(app).get("/page/filter").status == 500
    app.template_global("test_global")(lambda was: "global")
    app.template_global("shout")(lambda was, *args, **named: "!")
    app.jinja_env.globals["form_token"] = str
    assert Browser(app).get("/page/filter").text == "olleH global ! "


def test_first_requests_at_the_same_time_have_filters_and_globals(app: Atila) -> None:
    app.template_filter("reverse")(lambda text: "reversed")
    app.template_global("test_global")(lambda was: "global")
    together = threading.Barrier(8)
    found: list[tuple[Any, bool]] = []

    def ask() -> None:
        together.wait(30)
        environment = app.jinja_env
        found.append((environment, "test_global" in environment.globals and environment.filters["reverse"]("") != ""))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [(app.jinja_env, True)] * 8


def test_a_page_ends_the_request(app: Atila) -> None:
    assert Browser(app).get("/page/throw").line == "500 Internal Server Error"


def test_a_template_that_is_not_there(app: Atila) -> None:
    assert Browser(app).get("/page/missing").status == 500
    with pytest.raises(jinja2.TemplateNotFound):
        app.get_template("../secret.html")
    assert app.get_template("hello.html").render(text="x") == "x"


def test_the_style_of_older_documents(app: Atila) -> None:
    app.jinja_overlay()

    @app.route("/old")
    def old(was: Any) -> Any:
        stat = [{"nation": "KR", "state": "<Seoul>", "population": 10}]
        return was.render("old.html", stat=stat, a="<", b="b")

    assert Browser(app).get("/old").text.splitlines() == [
        "  <h1>Population of KR</h1>",
        "    <h2>&lt;Seoul&gt;</h1>",
        '    <a href="/state?nation=KR&amp;index=1">10</a>',
        """    <a href="#" onclick="javascript: create_map ('&lt;Seoul&gt;');">Map</a>""",
        "",
        "",
        "  %HOME%/bin",
        '  <a href="#" onclick="javascript: create_map ();">Map</a>',
        "&lt;b#",
    ]


def test_blocks_of_the_style_of_older_documents(app: Atila) -> None:
    app.jinja_overlay("%", "#", "{%", "}")
    assert app.get_template("child.htm").render() == "<title>Dash Board\n</title>"


def test_signs_by_their_names(app: Atila) -> None:
    app.jinja_overlay(
        variable_start_string="{{",
        variable_end_string="}}",
        block_start_string="{%",
        block_end_string="%}",
        comment_start_string="{#",
        comment_end_string="#}",
        line_statement_prefix="%",
        line_comment_prefix="%%",
    )
    assert app.get_template("lines.html").render().split() == ["1", "2", "##"]


def test_what_an_overlay_is_made_of() -> None:
    old = {
        "line_statement_prefix": "%", "line_comment_prefix": "%%", "variable_start_string": "#",
        "variable_end_string": "#", "block_start_string": "{%", "block_end_string": "}", "trim_blocks": True,
        "lstrip_blocks": True,
    }  # fmt: skip
    named = {"line_statement": "%", "variable_string": "#", "block_start_string": "{%", "block_end_string": "}"}
    assert overlay_options((), {}) == overlay_options(("%", "#", "{%", "}"), {}) == overlay_options((), named) == old
    assert overlay_options((), {"trim_blocks": True}) == {"trim_blocks": True}
    assert overlay_options(("@",), {})["line_comment_prefix"] == "@@"
    with pytest.raises(TypeError, match="by position"):
        overlay_options(("%",) * 5, {})


def test_templates_beside_a_module(app: Atila, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "members"
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "show.htm").write_text("{{ name | up }} here")
    (folder / "members_part.py").write_text(
        "def add(app):\n    @app.route('/show')\n    def show(was, name):\n"
        "        return was.render2('show.htm', name=name)\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    app.template_filter("up")(str.upper)
    __import__("members_part").add(app)
    try:
        assert Browser(app).get("/show?name=hans").text == "HANS here"
    finally:
        del sys.modules["members_part"]


def test_templates_beside_a_part(app: Atila, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "admin"
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "show.htm").write_text("{{ name }} {{ was.request.method }}")
    (folder / "admin_part.py").write_text(
        "from skitaid.atila import Saddlery\npart = Saddlery(__name__)\n"
        "@part.route('/<name>')\ndef hello(was, name):\n    return part.render2('show.htm', name=name)\n"
        "@part.route('/with/<name>')\ndef given(was, name):\n    return part.render2(was, 'show.htm', {'name': name})\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    app.mount("/admin", __import__("admin_part"), "part")
    try:
        assert Browser(app).get("/admin/Hans_Roh").text == "Hans Roh GET"
        assert Browser(app).get("/admin/with/Hans").text == "Hans GET"
    finally:
        del sys.modules["admin_part"]


def test_chameleon_is_said_to_be_missing(app: Atila, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chameleon", None)
    with pytest.raises(ImportError, match="pip install chameleon"):
        app.get_template("page.pt")


def test_chameleon(app: Atila, tmp_path: Path) -> None:
    pytest.importorskip("chameleon")
    (tmp_path / "templates" / "page.pt").write_text('<p tal:content="text">x</p>')

    @app.route("/pt")
    def pt(was: Any) -> Any:
        return was.render("page.pt", text="<b>")

    assert Browser(app).get("/pt").text == "<p>&lt;b&gt;</p>"
