"""What is fetched: one item is a token, a wallet, or the token list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class TimeWindow(NamedTuple):
    """A time window in unix seconds; where `since` is None it reaches back to the first swap."""

    before: int
    since: int | None


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A token or wallet to fetch.

    Attributes:
        item: Its address.
        origin: queue, or given on the command line.
        newest_known_time: Block time of the newest swap that is landed; None before the first fetch.
        resume_before_time: Where an unfinished fetch goes on; None where nothing is left over.
        resume_since_time: How far back that one goes; None is to the first swap.
    """

    item: str
    origin: str = "queue"
    newest_known_time: int | None = None
    resume_before_time: int | None = None
    resume_since_time: int | None = None

    @property
    def left_over(self) -> TimeWindow | None:
        """The time window that an unfinished fetch has left over."""
        return None if self.resume_before_time is None else TimeWindow(self.resume_before_time, self.resume_since_time)


# The token list is the one item of its resource.
TOKEN_LIST_ITEM = WorkItem("token_list", "filter")
