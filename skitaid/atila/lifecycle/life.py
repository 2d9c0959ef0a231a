"""The beginning and the end of an app in a process: its modules are mounted, and what it registered for that runs."""

from __future__ import annotations

from threading import Lock
from typing import Any

from skitaid.atila.dispatch.answering import log_failure
from skitaid.atila.lifecycle import events
from skitaid.atila.lifecycle.stages import Lifecycle, Stage
from skitaid.atila.wac import WAC
from skitaid.was.worker import worker_or_none

__all__ = ["Life"]


class Life:
    """The beginning and the end of an app. Without a worker it begins with the first request, and nobody says when it
    ends."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = Lock()
        self.is_begun = False

    def begin(self) -> None:
        """Once. Raises what the app's functions raise."""
        with self._lock:
            if self.is_begun:
                return
            app = self._app
            app.mount_all()
            app.emit(events.app_starting)
            self._run(Stage.BEFORE_MOUNT, WAC)
            was = app.make_was()
            self._run(Stage.MOUNTED, was)
            self._run(Stage.MOUNTED_OR_RELOADED, was)
            app.emit(events.app_mounted)
            app.emit(events.app_started)
            app.start_maintenance(float(app.config.maintain_interval), was)
            worker = worker_or_none()
            if worker is not None:
                worker.at_end.append(self.end)
            self.is_begun = True

    def end(self) -> None:
        """The worker ends. What fails is told; the rest runs."""
        app = self._app
        app.stop_maintenance()
        for step in (
            lambda: app.emit(events.app_unmounting),
            lambda: self._run(Stage.BEFORE_UMOUNT, app.make_was()),
            app.umount_all,
            lambda: self._run(Stage.UMOUNTED, WAC),
        ):
            try:
                step()
            except Exception:  # noqa: BLE001  # the end of an app
                log_failure()

    def _run(self, stage: Stage, subject: Any) -> None:
        subjects: list[Lifecycle] = [self._app, *self._app.mounted_parts()]
        for each in subjects:
            each.run_stage(stage, subject, self._app)
