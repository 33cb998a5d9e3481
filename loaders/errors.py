"""What can go wrong with the API. Terminal errors end the run; the others fail one work item."""

from __future__ import annotations

from loaders.work_items import TimeWindow
from smart_trader.errors import SmartTraderError


class ApiError(SmartTraderError):
    """The API did not give an answer to use.

    Attributes:
        endpoint: Path that was requested.
        status: HTTP status, or None where there was none.
    """

    def __init__(self, what: str, fix: str, endpoint: str, status: int | None) -> None:
        self.endpoint = endpoint
        self.status = status
        super().__init__(what, fix)


class TerminalApiError(ApiError):
    """No later request of this run can succeed."""


class RequestRefusedError(ApiError):
    """The API refuses this one request; requesting it again gives the same."""


class NoAnswerError(ApiError):
    """Every try of this request failed in a way that may pass; a later run requests again."""


class UnusableAnswerError(Exception):
    """One try brought no answer to use; the next one may.

    Attributes:
        why: What was wrong with it.
        status: HTTP status, or None where there was none.
    """

    def __init__(self, why: str, status: int | None = None) -> None:
        self.why = why
        self.status = status
        super().__init__(why)


class RowRefusedError(SmartTraderError):
    """A response has a field that is not what it should be; nothing of this fetch lands.

    Attributes:
        where: What was requested.
        row: Position of the row in its page, or None for the listing itself.
        field: Path of the field.
    """

    def __init__(self, where: str, row: int | None, field: str, problem: str, label: str = "") -> None:
        self.where = where
        self.row = row
        self.field = field
        place = "" if row is None else f", row {row}" + (f" ({label})" if label else "")
        super().__init__(
            f"{where}{place}: field {field}: {problem}",
            "nothing of it was landed; if the API has changed, loaders/tables.py says what is expected",
        )


class BudgetReachedError(SmartTraderError):
    """The next request would exceed the run's budget of compute units.

    Attributes:
        spent: Compute units of the requests made.
        budget: Compute units the run may spend.
    """

    def __init__(self, spent: int, price: int, budget: int) -> None:
        self.spent = spent
        self.budget = budget
        super().__init__(
            f"the budget of {budget} compute units is reached: {spent} spent, the next request costs {price}",
            "what was loaded is kept; run again to go on, or raise cu_budget",
        )


class ItemBudgetReachedError(SmartTraderError):
    """A work item has used up its own budget; its next fetch goes on from there.

    Attributes:
        left_over: The time window that is left to read.
    """

    def __init__(self, reason: str, left_over: TimeWindow) -> None:
        self.left_over = left_over
        super().__init__(reason, "the next run goes on from there")


class RunStoppedError(SmartTraderError):
    """The run was stopped from outside; items under way end where they are."""
