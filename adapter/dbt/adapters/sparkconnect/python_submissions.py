"""Submits dbt's Python models to a Spark Connect server."""

import threading
from typing import Any

from dbt.adapters.base.impl import PythonJobHelper
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.sparkconnect.connect_client import open_session, redact
from dbt.adapters.sparkconnect.credentials import (
    OFFLINE_VARIABLE,
    Endpoint,
    SparkConnectCredentials,
)
from dbt.adapters.sparkconnect.python_model import PythonModel
from dbt.adapters.sparkconnect.python_write import write_table
from dbt_common.exceptions import DbtRuntimeError

logger = AdapterLogger("SparkConnect")

GRACE_SECONDS = 3.0

_running: set["SparkConnectPythonJobHelper"] = set()


def interrupt_python_models() -> None:
    """Stop the Spark jobs of all Python models that run in this process."""
    for job in list(_running):
        job.interrupt()


class SparkConnectPythonJobHelper(PythonJobHelper):
    """Runs one model in a Spark session of its own."""

    def __init__(self, parsed_model: dict[str, Any], credential: SparkConnectCredentials) -> None:
        self._parsed_model = parsed_model
        self._creds = credential
        self._session: Any = None
        self._is_abandoned = False

    def submit(self, compiled_code: str) -> None:
        """Run the model's code, which also writes its table."""
        if self._creds.is_offline:
            raise DbtRuntimeError(
                "The sparkconnect adapter is offline and ran no Python model. To use the server, "
                f"set `offline: false` in the profile and unset {OFFLINE_VARIABLE}."
            )
        model = PythonModel(self._parsed_model, compiled_code)
        endpoint = self._creds.connect_endpoint()
        _running.add(self)
        try:
            problem = self._run_in_time(model, endpoint)
        finally:
            _running.discard(self)
        if problem:
            raise DbtRuntimeError(redact(problem, endpoint))

    def _run_in_time(self, model: PythonModel, endpoint: Endpoint) -> str | None:
        """Run in a thread of its own, so that a loop without Spark cannot outlast the limit."""
        outcome: list[str | None] = []
        thread = threading.Thread(target=lambda: outcome.append(self._run(model, endpoint)), daemon=True)
        thread.start()
        thread.join(self._creds.python_timeout)
        if not thread.is_alive():
            return outcome[0] if outcome else f"{model.path} ended the thread it ran in"
        self._is_abandoned = True
        self.interrupt()
        thread.join(GRACE_SECONDS)
        # a thread that is still busy in Python must find no session when it comes to write
        self._stop()
        return (
            f"{model.path} ran longer than `python_timeout`, {self._creds.python_timeout:g} "
            "seconds, and was interrupted on the server."
        )

    def _run(self, model: PythonModel, endpoint: Endpoint) -> str | None:
        """Return what went wrong, if anything did."""
        try:
            self._session = open_session(self._creds, endpoint)
            if not self._is_abandoned:
                model.run({"spark": self._session, "write_table": write_table})
        except DbtRuntimeError as exc:
            return str(exc.msg)
        except Exception as exc:
            return self._explain(model, endpoint, exc)
        finally:
            self._stop()
        return None

    def _explain(self, model: PythonModel, endpoint: Endpoint, exc: Exception) -> str:
        """Distinguish a lost server from a mistake in the model."""
        text = model.explain(exc)
        if not is_lost(exc):
            return text
        lost = (
            f"The connection to the Spark Connect server at {endpoint} was lost while {model.path} "
            "ran. Its table may or may not have been written; nothing was sent again."
        )
        return f"{self._creds.with_hint(lost)}\n{text}"

    def interrupt(self) -> None:
        """Cancel what the model runs on the server right now."""
        if self._session is not None:
            try:
                self._session.interruptAll()
            except Exception as exc:
                logger.debug(f"Could not interrupt a Python model: {type(exc).__name__}")

    def _stop(self) -> None:
        if self._session is not None:
            # a server that died has nothing to release, so do not wait for it
            self._session.client.set_retry_policies([])
            self._session.stop()


def is_lost(exc: BaseException) -> bool:
    """Return whether the server went away or came back as another one."""
    text = str(exc)
    return any(sign in text for sign in ("StatusCode.UNAVAILABLE", "UNAVAILABLE:", "SESSION_CHANGED", "SESSION_CLOSED"))
