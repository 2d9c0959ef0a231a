"""The import state of a process is global: each case that imports runs in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import skitaid
from skitaid.handlers.loading.imports import top_level_names
from skitaid.handlers.loading.loader import AppLoader, AppLoadError, load_app, root_of
from tests.unit.rights import as_nobody

PRELUDE = """
import json, sys
from pathlib import Path
from skitaid.handlers.loading.loader import AppLoader, AppLoadError
loader = AppLoader()
def load(file, name="app"):
    return loader.load(Path(file), name)
def fails(file, name="app"):
    try:
        load(file, name)
    except AppLoadError as error:
        return [error.reason, error.traceback]
"""


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))


def run(folder: Path, code: str) -> Any:
    """What `code` leaves in `result`; warnings are errors, as some depend on how a module was made."""
    text = f"{PRELUDE}\n{dedent(code)}\nprint('\\n' + json.dumps(result))"
    environment = os.environ | {"PYTHONPATH": str(Path(skitaid.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", text],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def site(mark: str) -> dict[str, str]:
    """An app with its own services, importing in every way, at load time and when it is called."""
    return {
        "app.py": f"""
            import services.users
            import services.views as views_too
            from services import views
            from services.users import name
            from . import admin
            from .services import users as users_too

            def app(environ, start_response):
                import services.late1
                from services import late2
                from services.late3 import MARK as late3
                from .late4 import MARK as late4
                import importlib
                late5 = importlib.import_module("services.late5")
                same = views is views_too is services.views, users_too is services.users
                found = [views.MARK, name(), admin.MARK, services.late1.MARK, late2.MARK, late3, late4, late5.MARK]
                return [set(found) == {{"{mark}"}}, *same]
            """,
        "admin.py": f"MARK = '{mark}'\nfrom services.views import MARK as other\nassert other == MARK\n",
        "late4.py": f"MARK = '{mark}'\n",
        "services/users.py": """
            def name():
                from services import views
                from . import views as again
                assert views is again
                return views.MARK
            """,
        **{f"services/{name}.py": f"MARK = '{mark}'\n" for name in ("views", "late1", "late2", "late3", "late5")},
    }


# ---------------------------------------------------------------- projects side by side


@pytest.mark.parametrize("is_package", [True, False])
def test_apps_of_the_same_names_have_their_own_modules(tmp_path: Path, is_package: bool) -> None:
    for mark in "abc":
        write(tmp_path / mark, site(mark))
        if is_package:
            write(tmp_path / mark, {"services/__init__.py": ""})
    code = """
        loaded = [load(f"{mark}/app.py") for mark in "abc"]
        result = [each.callable({}, None) for each in [*loaded, *loaded]]
    """
    assert run(tmp_path, code) == [[True, True, True]] * 6


def test_first_project_keeps_natural_names(tmp_path: Path) -> None:
    write(tmp_path / "a", site("a"))
    code = """
        app = load("a/app.py")
        app.callable({}, None)
        import importlib, pickle
        result = [app.module.__name__, app.module.__package__ == app.module.__spec__.parent,
                  importlib.import_module("services.views").__name__, sys.modules["app"] is app.module,
                  pickle.loads(pickle.dumps(app.callable)) is app.callable,
                  __import__.__module__]
    """
    assert run(tmp_path, code) == ["app", True, "services.views", True, True, "builtins"]


def test_isolated_classes_can_be_pickled_and_are_named_the_same_each_time(tmp_path: Path) -> None:
    for mark in "ab":
        write(tmp_path / mark, {"app.py": f"class Thing:\n    mark = '{mark}'\ndef app(e, s): return Thing()\n"})
    code = """
        import pickle
        things = [load(f"{mark}/app.py").callable({}, None) for mark in "ab"]
        result = [[pickle.loads(pickle.dumps(t)).mark for t in things], things[1].__module__]
    """
    first, second = run(tmp_path, code), run(tmp_path, code)
    assert first[0] == ["a", "b"]
    assert first[1] == second[1] != "app"


def test_isolated_names_are_not_seen_by_others(tmp_path: Path) -> None:
    for mark in "ab":
        write(tmp_path / mark, site(mark))
    code = """
        load("a/app.py"); load("b/app.py")
        import app, services.views
        result = [app.views.MARK, services.views.MARK]
    """
    assert run(tmp_path, code) == ["a", "a"]


def test_names_only_the_later_project_has_stay_natural(tmp_path: Path) -> None:
    write(tmp_path / "a", {"app.py": "app = print", "helpers.py": ""})
    write(
        tmp_path / "b",
        {"app.py": "import own\ndef app(e, s): return own.deep()", "helpers.py": "MARK = 'b'",
         "own.py": "def deep():\n    import helpers\n    return [__name__, helpers.MARK]"},
    )  # fmt: skip
    code = """
        load("a/app.py")
        result = load("b/app.py").callable({}, None)
    """
    assert run(tmp_path, code) == ["own", "b"]


def test_one_project_with_two_apps_shares_its_modules(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"app.py": "import state\napp = print", "second.py": "from . import state\napp = print", "state.py": ""},
    )
    code = """
        one, two = load("app.py"), load("second.py")
        again = load("app.py")
        result = [one.module.state is two.module.state, one.module is again.module]
    """
    assert run(tmp_path, code) == [True, True]


def test_project_inside_anothers_folder(tmp_path: Path) -> None:
    write(tmp_path, site("outer"))
    write(tmp_path / "blog", site("inner"))
    for order in (["app.py", "blog/app.py"], ["blog/app.py", "app.py"]):
        code = f"result = [each.callable({{}}, None)[0] for each in [load(file) for file in {order}]]"
        assert run(tmp_path, code) == [True, True]


def test_project_reached_through_a_link_is_the_same_project(tmp_path: Path) -> None:
    write(tmp_path / "releases", site("r"))
    (tmp_path / "current").symlink_to("releases")
    code = """
        one, two = load("current/app.py"), load("releases/app.py")
        result = [one.module is two.module, one.module.__file__.endswith("current/app.py")]
    """
    assert run(tmp_path, code) == [True, True]


def test_flask_like_apps_find_their_own_folder(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    for mark in "ab":
        text = """
            from flask import Flask, render_template
            from services import views
            app = Flask(__name__)
            @app.route("/")
            def index():
                return render_template("index.html", mark=views.MARK)
            """
        files = {"app.py": text, "services/views.py": f"MARK = '{mark}'", "templates/index.html": mark + "{{ mark }}"}
        write(tmp_path / mark, files)
    code = """
        import warnings; warnings.simplefilter("default")
        apps = [load(f"{mark}/app.py").callable for mark in "ab"]
        result = [app.test_client().get("/").text for app in apps]
    """
    assert run(tmp_path, code) == ["aa", "bb"]


def test_late_import_works_in_threads(tmp_path: Path) -> None:
    for mark in "ab":
        write(tmp_path / mark, site(mark))
    code = """
        import threading
        apps = [load(f"{mark}/app.py").callable for mark in "ab"]
        result = []
        threads = [threading.Thread(target=lambda app=app: result.append(app({}, None)[0])) for app in apps * 8]
        [t.start() for t in threads]; [t.join() for t in threads]
    """
    assert run(tmp_path, code) == [True] * 16


# ---------------------------------------------------------------- packages, Django


def django_like() -> dict[str, str]:
    return {
        "mysite/__init__.py": "",
        "mysite/settings.py": "INSTALLED = ['shop']",
        "mysite/wsgi.py": """
            import importlib, os
            os.environ["SETTINGS"] = "mysite.settings"
            settings = importlib.import_module(os.environ["SETTINGS"])
            apps = [importlib.import_module(name + ".models") for name in settings.INSTALLED]
            def application(environ, start_response):
                return [__name__, apps[0].Item.__module__, __package__]
            """,
        "shop/__init__.py": "",
        "shop/models.py": "from mysite import settings\nclass Item: pass",
        "manage.py": "raise SystemExit('never imported')",
    }


def test_file_in_a_package_is_imported_by_its_dotted_name(tmp_path: Path) -> None:
    write(tmp_path, django_like())
    code = "result = load('mysite/wsgi.py', 'application').callable({}, None)"
    assert run(tmp_path, code) == ["mysite.wsgi", "shop.models", "mysite"]


def test_root_is_on_the_path_behind_the_standard_library(tmp_path: Path) -> None:
    write(tmp_path / "a", django_like())
    write(tmp_path / "b", {"app.py": "app = print"})
    code = """
        import sysconfig
        load("a/mysite/wsgi.py", "application"); load("b/app.py")
        places = [sys.path.index(p) for p in (sysconfig.get_path("stdlib"), str(Path("a").resolve()))]
        packages = [i for i, p in enumerate(sys.path) if p.endswith("site-packages")]
        in_order = [places == sorted(places), all(i > places[1] for i in packages)]
        result = [*in_order, sys.path.count(str(Path("b").resolve()))]
    """
    assert run(tmp_path, code) == [True, True, 1]


@pytest.mark.parametrize("named", ["shop", "shop/__init__.py"])
def test_package_folder_is_an_app(tmp_path: Path, named: str) -> None:
    write(
        tmp_path,
        {"shop/__init__.py": "from . import views\nfrom shop.views import app", "shop/views.py": "app = print"},
    )
    assert run(tmp_path, f"result = load('{named}').module.__name__") == "shop"


def test_second_project_with_the_same_package_is_isolated(tmp_path: Path) -> None:
    wsgi = """
        from site1 import conf
        from . import conf as again
        assert again is conf
        def app(environ, start_response):
            import site1.late
            return conf.MARK + site1.late.MARK
        """
    for mark in "ab":
        value = f"MARK = '{mark}'"
        files = {"__init__.py": "", "wsgi.py": wsgi, "conf.py": value, "late.py": value}
        write(tmp_path / mark / "site1", files)
    code = "result = [each.callable({}, None) for each in [load(f'{mark}/site1/wsgi.py') for mark in 'ab']]"
    assert run(tmp_path, code) == ["aa", "bb"]


def test_folder_that_is_no_package_does_not_hide_an_installed_one(tmp_path: Path) -> None:
    """A checkout of jinja2 beside the app: Python prefers the installed package, wherever it is on the path."""
    pytest.importorskip("jinja2")
    for mark in "ab":
        write(tmp_path / mark, {"app.py": "import jinja2\napp = jinja2.Template", "jinja2/setup.py": ""})
    code = "result = [load(f'{mark}/app.py').callable('x').render() for mark in 'ab']"
    assert run(tmp_path, code) == ["x", "x"]


def test_circular_imports(tmp_path: Path) -> None:
    files = {
        "app.py": "from . import admin\nimport other\ndef app(e, s): return [admin.app.__name__, other.admin is admin]",
        "admin.py": "from . import app\nfrom . import other\nimport app as natural\nassert natural is app",
        "other.py": "from . import admin",
    }
    for mark in "ab":
        write(tmp_path / mark, files)
    code = "result = [load(f'{mark}/app.py').callable({}, None)[1] for mark in 'ab']"
    assert run(tmp_path, code) == [True, True]


def test_relative_and_natural_name_are_one_module(tmp_path: Path) -> None:
    files = {
        "app.py": """
            from . import admin
            from .admin import value
            import admin as natural
            from .pack.sub import thing
            from pack import sub
            def app(e, s):
                return [admin is natural, sub.thing is thing, admin.__name__, admin.__spec__.name, sub.__spec__.name]
            """,
        "admin.py": "value = 1",
        "pack/__init__.py": "",
        "pack/sub.py": "thing = object()",
    }
    write(tmp_path, files)
    code = "result = load('app.py').callable({}, None)"
    assert run(tmp_path, code) == [True, True, "admin", "admin", "pack.sub"]


def test_what_is_not_there_is_an_import_error(tmp_path: Path) -> None:
    text = """
        result = []
        for statement in ("from . import nothing", "from .nothing import x", "import nothing", "from . import json",
                          "from services import nothing", "import services.nothing"):
            try:
                exec(statement, globals())
            except ImportError as error:
                result.append(type(error).__name__)
        def app(e, s): return result
    """
    for mark in "ab":
        write(tmp_path / mark, {"app.py": text, "services/__init__.py": ""})
    code = "result = [load(f'{mark}/app.py').callable({}, None) for mark in 'ab']"
    expected = ["ImportError", "ModuleNotFoundError", "ModuleNotFoundError", "ImportError", "ImportError",
                "ModuleNotFoundError"]  # fmt: skip
    assert run(tmp_path, code) == [expected, expected]


def test_file_written_later_is_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"app.py": "def app(e, s):\n    from . import later\n    import later as natural\n    return later is natural"},
    )
    code = """
        app = load("app.py").callable
        Path("later.py").write_text("")
        import importlib; importlib.invalidate_caches()
        result = app({}, None)
    """
    assert run(tmp_path, code) is True


# ---------------------------------------------------------------- names of the standard library


@pytest.mark.parametrize(
    "name", ["email", "code", "types", "os", "sys", "json", "queue", "test", "__main__", "asyncio"]
)
def test_app_file_named_as_a_standard_module(tmp_path: Path, name: str) -> None:
    text = """
        from . import admin
        import admin as natural
        def app(environ, start_response):
            return [admin.MARK, natural is admin]
        """
    write(tmp_path, {f"{name}.py": text, "admin.py": "MARK = 'm'"})
    code = f"""
        before = sys.modules.get("{name}")
        app = load("{name}.py")
        import email.message, code, types, os, json, queue, asyncio
        result = [*app.callable({{}}, None), sys.modules.get("{name}") is before or before is None,
                  hasattr(queue, "Queue"), hasattr(code, "interact"), hasattr(json, "dumps")]
    """
    assert run(tmp_path, code) == ["m", True, True, True, True, True]


def test_own_module_goes_before_a_standard_one_that_nobody_loaded(tmp_path: Path) -> None:
    """As it does where the app is the script; but the standard library itself goes on finding its own."""
    write(tmp_path, {"app.py": "import wave\ndef app(e, s): return wave.MARK", "wave.py": "MARK = 'own'"})
    code = """
        assert "wave" not in sys.modules
        own = load("app.py").callable({}, None)
        import wave
        result = [own, hasattr(wave, "open")]
    """
    assert run(tmp_path, code) == ["own", True]


def test_standard_module_already_loaded_goes_before_an_own_one(tmp_path: Path) -> None:
    """As everywhere: `sys.modules` is asked first."""
    text = """
        import types as standard
        from . import types
        def app(environ, start_response):
            return [types.MARK, hasattr(standard, "ModuleType")]
        """
    write(tmp_path, {"app.py": text, "types.py": "MARK = 1"})
    assert run(tmp_path, "result = load('app.py').callable({}, None)") == [1, True]


def test_a_folder_named_skitaid_does_not_take_our_place(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "import skitaid\napp = lambda e, s: skitaid.__version__", "skitaid/__init__.py": ""})
    assert run(tmp_path, "result = bool(load('app.py').callable({}, None))") is True


# ---------------------------------------------------------------- unusual files


@pytest.mark.parametrize("name", ["my-app.py", "site.v2.py", "app.wsgi"])
def test_file_whose_name_cannot_be_imported(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "from . import admin\nimport admin as a\nassert a is admin\napp = print", "admin.py": ""})
    assert run(tmp_path, f"result = load('{name}').module is load('{name}').module") is True


def test_file_beside_a_package_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "app = 'the file'.upper", "app/__init__.py": "app = 'the package'.upper"})
    assert run(tmp_path, "result = [load('app.py').callable(), load('app').callable()]") == ["THE FILE", "THE PACKAGE"]


def test_suffix_may_be_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"wsgiapp.py": "app = print"})
    assert run(tmp_path, "result = load('wsgiapp').module.__name__") == "wsgiapp"


def test_names_a_folder_offers(tmp_path: Path) -> None:
    files = ["app.py", "my-app.py", "notes.txt", "services/views.py", "deep/below/x.py", "static/css/a.css",
             "fast.abi3.so", "node-tools/x.py"]  # fmt: skip
    write(tmp_path, dict.fromkeys(files, ""))
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "dangling.py").symlink_to("nowhere")
    assert top_level_names(str(tmp_path)) == {"app", "services", "deep", "fast", "dangling"}
    assert top_level_names(str(tmp_path / "nowhere")) == set()


# ---------------------------------------------------------------- failures


def test_syntax_error_says_where(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "import services.bad", "services/bad.py": "x = 1\ndef f(:\n"})
    reason, traceback = run(tmp_path, "result = fails('app.py')")
    assert reason.startswith("cannot be imported: SyntaxError: ")
    assert reason.endswith("services/bad.py:2)")
    assert "def f(:" in traceback


def test_traceback_has_the_apps_frames_only(tmp_path: Path) -> None:
    failing = {
        "app.py": "from services import views",
        "services/views.py": "try:\n    1 / 0\nexcept ArithmeticError as error:\n    raise KeyError('k') from error\n",
    }
    for mark in "ab":
        write(tmp_path / mark, failing)
    for reason, traceback in run(tmp_path, "result = [fails('a/app.py'), fails('b/app.py')]"):
        assert "KeyError: 'k'" in reason
        assert reason.endswith("services/views.py:4)")
        assert traceback.count("Traceback (most recent call last)") == 2
        assert "loader" not in traceback
        assert "importlib" not in traceback
        assert "from services import views" in traceback


def test_missing_module_is_explained(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "import surely_not_installed\n"})
    reason, _ = run(tmp_path, "result = fails('app.py')")
    assert "ModuleNotFoundError: No module named 'surely_not_installed'" in reason
    assert reason.endswith("app.py:1)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import sys; sys.exit(3)", "it called sys.exit(3)"),
        ("import sys; sys.exit('bye')", "it called sys.exit('bye')"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd", "Odd"),
        ("e = ValueError('v'); e.add_note('a note'); raise e", "ValueError: v"),
        ("raise ExceptionGroup('g', [KeyError('k')])", "ExceptionGroup: g"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_whatever_an_app_does_it_is_a_load_error(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path, {"app.py": text})
    assert expected in run(tmp_path, "result = fails('app.py')")[0]


def test_one_failure_leaves_others_alone_and_can_be_mended(tmp_path: Path) -> None:
    write(tmp_path, {"a/app.py": "import services.x\n1 / 0", "a/services/x.py": ""})
    write(tmp_path / "b", site("b"))
    code = """
        result = [bool(fails("a/app.py")), load("b/app.py").callable({}, None)[0]]
        Path("a/app.py").write_text("app = print")
        result.append(load("a/app.py").kind)
    """
    assert run(tmp_path, code) == [True, True, "wsgi"]


def test_keyboard_interrupt_passes(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "raise KeyboardInterrupt"})
    code = """
        try:
            load("app.py")
        except KeyboardInterrupt:
            result = True
    """
    assert run(tmp_path, code) is True


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aplication", 'no callable "aplication"; did you mean "application"?'),
        ("zzz", 'no callable "zzz"; callables there: application, site'),
        ("site.handel", 'no callable "handel"; did you mean "handle"?'),
        ("text", '"text" is of type str, expected a WSGI or ASGI callable'),
        ("json", '"json" is a module, expected a WSGI or ASGI callable'),
    ],
)
def test_missing_callable(tmp_path: Path, name: str, expected: str) -> None:
    text = """
        import json
        from json import dumps
        def application(e, s): ...
        class Site:
            def handle(self, e, s): ...
            def __call__(self, e, s): ...
        site = Site()
        del Site
        text = ""
    """
    write(tmp_path, {"app.py": text})
    assert run(tmp_path, f"result = fails('app.py', '{name}')") == [expected, ""]


def test_dotted_callable(tmp_path: Path) -> None:
    text = "class Site:\n    def handle(self, e, s): return 'handled'\nclass box: site = Site()"
    write(tmp_path, {"app.py": text})
    assert run(tmp_path, "result = load('app.py', 'box.site.handle').callable({}, None)") == "handled"


def test_a_folder_that_may_not_be_entered_is_said() -> None:
    with tempfile.TemporaryDirectory() as name:  # where nobody may look, other than at tmp_path
        Path(name).chmod(0o755)
        closed = Path(name) / "closed"
        closed.mkdir(mode=0)

        def ask() -> str:
            with pytest.raises(AppLoadError) as info:
                AppLoader().load(closed / "inner" / "app.py", "app")
            return info.value.reason

        told = as_nobody(ask)
        closed.chmod(0o700)
    assert re.fullmatch(rf"user .+ may not enter {closed}; namei -l {closed}/inner/app.py shows the rights", told)


def test_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(AppLoadError, match=r"none\.py: no such file, expected a Python file or a package's folder"):
        load_app(tmp_path / "none.py")


def test_folder_without_init_is_said(tmp_path: Path) -> None:
    with pytest.raises(AppLoadError, match=r"is a folder without __init__\.py"):
        AppLoader().load(tmp_path)


def test_root_of(tmp_path: Path) -> None:
    write(tmp_path, {"a/b/__init__.py": "", "a/b/c/__init__.py": "", "a/b/c/d.py": ""})
    assert root_of(str(tmp_path / "a/b/c/d.py")) == str(tmp_path / "a")
    assert root_of(str(tmp_path / "a/b")) == str(tmp_path / "a")


# ---------------------------------------------------------------- files to watch


def test_files_are_those_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, site("a"))
    write(tmp_path, {"venv/site-packages/lib.py": "", "unused.py": ""})
    code = """
        sys.path.append("venv/site-packages")
        import lib
        root = load("app.py").root
        files = loader.files(root)
        result = [sorted(str(Path(file).relative_to(root)) for file in files), loader.files() == files]
    """
    assert run(tmp_path, code) == [["admin.py", "app.py", "services/users.py", "services/views.py"], True]


def test_files_of_two_projects_are_told_apart(tmp_path: Path) -> None:
    for mark in "ab":
        write(tmp_path / mark, {"app.py": "from . import admin\napp = print", "admin.py": ""})
    code = """
        roots = [load(f"{mark}/app.py").root for mark in "ab"]
        result = [sorted(Path(f).name for f in loader.files(root)) for root in roots] + [len(loader.files())]
    """
    assert run(tmp_path, code) == [["admin.py", "app.py"], ["admin.py", "app.py"], 4]


def test_file_that_failed_is_watched(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": "import helper", "helper.py": "def f(:"})
    code = """
        fails("app.py")
        result = sorted(Path(f).name for f in loader.files())
    """
    assert run(tmp_path, code) == ["app.py", "helper.py"]
