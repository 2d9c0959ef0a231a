"""WSGI apps (PEP 3333), in app threads. Beyond the PEP, as apps of the older releases rely on it, a str is sent as
UTF-8, and a str or bytes may stand where an iterable of them is asked for.

What an app is told is in `environ`, how it answers in `call`. A hello-world app costs 2.8 µs on one core from the
end of its wait to the system call that sends its response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import TextIOBase
from typing import Any, Final

from skitaid.engine.body import RequestBody
from skitaid.engine.errors import BodyError, ClientGoneError
from skitaid.engine.server import Engine
from skitaid.engine.stream import Stream
from skitaid.handlers.app_failure import ErrorReporter, answer_to
from skitaid.handlers.body_rules import NO_RULES, BodyRules
from skitaid.handlers.router import Route
from skitaid.handlers.wsgi.call import TOO_LONG, TOO_SHORT, Call, pieces_of
from skitaid.handlers.wsgi.environ import EnvironMaker
from skitaid.handlers.wsgi.file_wrapper import FileWrapper
from skitaid.handlers.wsgi.later import later_of, response_of
from skitaid.protocols.errors import ProtocolError, ResponseError
from skitaid.was.context import Cell, current
from skitaid.was.context import cell as cell_of_thread
from skitaid.was.later import Later

__all__ = ["WsgiApp", "WsgiSettings"]

WsgiCallable = Callable[[dict[str, Any], Callable[..., Any]], Iterable[Any]]
_BURST_BYTES: Final = 1 << 20
"""What an app on the loop may send in one go to a client that keeps up with it: others come next."""


class WsgiSettings:
    """What an instance gives all of its apps: where `wsgi.errors` goes, who is told of an app's failure, whether
    there are several workers and threads, and what holds for bodies."""

    __slots__ = ("bodies", "errors", "is_multiprocess", "is_multithread", "report")

    def __init__(
        self,
        errors: TextIOBase,
        report: ErrorReporter,
        *,
        is_multithread: bool = True,
        is_multiprocess: bool = False,
        bodies: BodyRules = NO_RULES,
    ) -> None:
        self.errors = errors
        self.report = report
        self.is_multithread = is_multithread
        self.is_multiprocess = is_multiprocess
        self.bodies = bodies


class WsgiApp:
    """A router.RouteHandler for one app at one mount point."""

    def __init__(self, engine: Engine, app: WsgiCallable, settings: WsgiSettings) -> None:
        self._engine = engine
        self._app = app
        self._settings = settings
        self._bodies = settings.bodies
        self._may_code = settings.bodies.may_code
        # Bound once: binding it anew for each request takes 0.05 µs.
        self._job = self._run
        self._make_environ = EnvironMaker(
            settings.errors, is_multithread=settings.is_multithread, is_multiprocess=settings.is_multiprocess
        ).make

    def serve(self, stream: Stream, route: Route) -> bool:
        stream.note = route
        stream.job = self._job
        stream.may_code = self._may_code
        if stream.head.content_length == 0:
            self._engine.submit(stream)
            return True
        limit = self._bodies.limit(stream.head)
        refusal = self._bodies.refusal(stream.head, limit)
        if refusal is not None:
            self._engine.respond_error(stream, 413, refusal)
            return True
        stream.expect_body(partial(self._engine.submit, stream), limit, is_streamed=self._bodies.is_streamed)
        return True

    def _run(self, stream: Stream) -> None:
        """Run the app and send what it gives. In an app thread, or on the loop when there are none."""
        result: Any = None
        if stream.connection.is_broken:
            # Given up while it waited for a thread: a client that does so all the time must not keep the apps busy.
            stream.abandon()
            self._close(stream, None)
            return
        call = Call(stream)
        cell = current()
        if type(cell) is not Cell:
            cell = cell_of_thread()
        cell.bound = call
        try:
            call.environ = environ = self._make_environ(stream, stream.note)
            result = self._app(environ, call.start_response)
            if type(result) is list and len(result) == 1 and type(result[0]) is bytes and not call.is_written:
                # What nearly every app gives: one piece, in one packet with the head.
                if not call.status:
                    call.check_started()
                stream.respond(call.status, call.fields, result[0])
                if stream.exchange.left:
                    self._settings.report(stream, ResponseError(TOO_LONG if stream.is_cut else TOO_SHORT))
                if stream.body is None:
                    return
            elif not self._send_all(call, result, stream):
                return
        except BaseException as error:  # noqa: BLE001  # the root of a request: an app may even call sys.exit
            self._failed(stream, error)
        finally:
            cell.bound = None
        self._close(stream, result)

    def _send_all(self, call: Call, result: Any, stream: Stream) -> bool:
        """Send what the app gave. False: it goes on later."""
        later = later_of(call, result)
        if later is not None:
            self._leave(later, call, result)
            return False
        call.is_file = type(result) is FileWrapper
        if call.is_file and call.send_file(result):
            return True
        if isinstance(result, (str, bytes)):
            result = (result,)
        call.piece_count = len(result) if isinstance(result, (list, tuple)) else None
        if self._send(call, pieces_of(result), stream):
            return True
        self._pause(call, result, stream)
        return False

    def _send_rest(self, call: Call, result: Any, stream: Stream) -> None:
        """On the loop: the client took what was sent so far, go on."""
        assert call.rest is not None
        cell = cell_of_thread()
        cell.bound = call
        try:
            if not self._send(call, call.rest, stream):
                self._pause(call, result, stream)
                return
        except BaseException as error:  # noqa: BLE001  # the root of a request
            self._failed(stream, error)
        finally:
            cell.bound = None
        self._close(stream, result)

    def _leave(self, later: Later, call: Call, result: Any) -> None:
        """Let go of the thread until the response can be made."""
        stream = call.stream
        if result is not later:
            self._close_result(stream, result)
        go_on = partial(self._go_on, later, call)
        # The loop thread alone may queue it, and never from within what it is just doing.
        later.when_ready(lambda: stream.call_soon(go_on))

    def _go_on(self, later: Later, call: Call) -> None:
        """On the loop: have the response made."""
        stream = call.stream
        stream.job = partial(self._run_later, later, call)
        self._engine.submit(stream)

    def _run_later(self, later: Later, call: Call, stream: Stream) -> None:
        """Make the response and send it. In an app thread, or on the loop when there are none."""
        result: Any = None
        cell = cell_of_thread()
        cell.bound = call
        try:
            result = later.make()
            if not isinstance(result, Later):
                result = response_of(result, call)
            if not self._send_all(call, result, stream):
                return
        except BaseException as error:  # noqa: BLE001  # the root of a request
            self._failed(stream, error)
        finally:
            cell.bound = None
        self._close(stream, result)

    def _send(self, call: Call, pieces: Iterator[Any], stream: Stream) -> bool:
        """Send pieces until the end. False: on the loop, and it is to be left to others for now."""
        may_stop = stream.is_on_loop
        before = stream.reply_bytes
        for piece in pieces:
            call.write(piece)
            if call.is_cut:
                # PEP 3333: no more is asked for when enough has been sent. Some apps would never end.
                break
            if may_stop and not call.is_whole and (stream.is_congested or stream.reply_bytes - before > _BURST_BYTES):
                call.rest = pieces
                return False
        call.end()
        if call.is_cut and not call.is_file:
            self._settings.report(stream, ResponseError(TOO_LONG))
        return True

    def _pause(self, call: Call, result: Any, stream: Stream) -> None:
        """On the loop: go on when the client took what was sent, or when others had their turn."""
        stream.job = partial(self._send_rest, call, result)
        if not stream.is_congested:
            stream.call_soon(stream.run)

    def _close(self, stream: Stream, result: Any) -> None:
        self._close_result(stream, result)
        if isinstance(stream.body, RequestBody):
            stream.body.close()

    def _close_result(self, stream: Stream, result: Any) -> None:
        close = getattr(result, "close", None)
        if close is not None:
            try:
                close()
            except BaseException as error:  # noqa: BLE001  # the response is out: the failure is told, nothing else
                self._settings.report(stream, error)

    def _failed(self, stream: Stream, error: BaseException) -> None:
        """An app, or its client, failed."""
        if isinstance(error, ClientGoneError):
            stream.abandon()
            return
        if isinstance(error, BodyError):
            self._body_failed(stream, error.__cause__)
            return
        code, text = answer_to(error)
        if code >= 500 or stream.is_started:
            self._settings.report(stream, error)
        if stream.is_started:
            stream.abort()
        else:
            self._engine.respond_error(stream, code, text)

    def _body_failed(self, stream: Stream, cause: BaseException | None) -> None:
        """The app could not read the request's body, and left it at that: its client is to blame."""
        if isinstance(cause, ProtocolError) and not stream.is_started:
            self._engine.respond_error(stream, cause.status, cause.reason)
        else:
            stream.abandon()
