"""The list against the truth: every figure worked out by hand on ten wallets, and what is refused."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from smart_trader.cli import smart_trader
from smart_trader.errors import SmartTraderError
from smart_trader.evaluation.copying import DELAYS_S
from smart_trader.evaluation.evaluation import Evaluation
from smart_trader.evaluation.quality import STAGES, Quality, adversary_share, average_precision, precision_at
from smart_trader.evaluation.report import evaluation_text
from smart_trader.evaluation.standings import Standings
from smart_trader.evaluation.truth import read_truth
from smart_trader.reports.tables import Screen
from smart_trader.sandbox.market.hard.kinds import KINDS as HARD_KINDS
from smart_trader.sandbox.market.names import address
from smart_trader.sandbox.market.roles import ADVERSARY, HONEST, INFRASTRUCTURE, ROLES, SKILLED
from smart_trader.sandbox.market.simulation import KINDS as EASY_KINDS

AS_OF = datetime(2026, 9, 21, tzinfo=UTC)
W = [address(1, "wallet", number) for number in range(12)]
# ranks 1 to 5; W[5] to W[7] are evaluated and not listed, W[8] is former, W[9] is tracked alone
BOARD = [(W[0], "ELITE"), (W[1], "ELITE"), (W[2], "QUALIFIED"), (W[3], "STRONG"), (W[4], "QUALIFIED")]
EVALUATED = W[:9]
KINDS_OF = {
    W[0]: "insider", W[1]: "skilled", W[2]: "noise", W[3]: "skilled", W[4]: "wash_pair", W[5]: "skilled", W[6]: "noise",
    W[7]: "noise", W[8]: "noise", W[9]: "exchange", W[10]: "skilled",
}  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of a few rows, in the tables that an evaluation reads."""
    home = tmp_path / "lake"
    board = [
        {"overall_rank": rank, "wallet_address": wallet, "tier": tier, "former": False}
        for rank, (wallet, tier) in enumerate(BOARD, 1)
    ]
    board.append({"overall_rank": None, "wallet_address": W[8], "tier": "STRONG", "former": True})
    # best last, so that the order comes from the ranks
    write(home, "gold/leaderboard", board[::-1])
    # a wallet is evaluated once per calculation
    write(home, "gold/trader_evaluations", [{"wallet_address": wallet} for wallet in [*EVALUATED, W[0]]])
    write(home, "silver/tracked_whales", [{"wallet_address": wallet} for wallet in [*W[:10], W[1]]])
    tiers = ("STRONG", 2), ("ELITE", 1), ("QUALIFIED", 4), ("PROMISING", 3)
    write(home, "silver/trader_tiers", [{"tier": tier, "tier_rank": rank} for tier, rank in tiers])
    write(home, "bronze/fetch_log", [{"as_of": AS_OF}])
    monkeypatch.setenv("LAKEHOUSE_HOME", str(home))
    for name in ("DBT_TARGET", "LAKEHOUSE_URI"):
        monkeypatch.delenv(name, raising=False)
    return home


def write(home: Path, table: str, rows: list[dict[str, Any]]) -> None:
    write_deltalake(str(home / table), pa.Table.from_pylist(rows))


def truth_file(folder: Path, *lines: str, head: str = "address,kind,swaps,partner") -> Path:
    path = folder / "truth.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return truth_file(tmp_path, *(f"{wallet},{kind},3," for wallet, kind in KINDS_OF.items()))


def evaluated(capsys: pytest.CaptureFixture[str], *options: object) -> tuple[str, str]:
    """Return what the command shows and what it reports on the way."""
    capsys.readouterr()
    smart_trader.main(["evaluate", *map(str, options)], standalone_mode=False)
    shown = capsys.readouterr()
    return shown.out, shown.err


def test_every_figure_is_the_one_worked_out_by_hand(
    lake: Path, truth: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = evaluated(capsys, "--truth", truth, "--format", "json")
    assert json.loads(out) == {
        # skilled wallets stand at ranks 2 and 4; from rank 6 on nobody stands
        "precision": {"10": 0.2, "25": 0.08, "50": 0.04, "100": 0.02},
        # 3 of 9
        "base_rate": 0.333333,
        # (1/2 + 2/4 + 0) / 3: the third skilled wallet is not listed
        "average_precision": 0.333333,
        "tiers": {
            "ELITE": {"insider": 1, "skilled": 1},
            "STRONG": {"skilled": 1},
            "QUALIFIED": {"noise": 1, "wash_pair": 1},
        },
        "grades": {},
        "recall": {
            "noise": {"exists": 4, "tracked": 4, "evaluated": 4, "listed": 1},
            "skilled": {"exists": 4, "tracked": 3, "evaluated": 3, "listed": 2},
            "insider": {"exists": 1, "tracked": 1, "evaluated": 1, "listed": 1},
            "wash_pair": {"exists": 1, "tracked": 1, "evaluated": 1, "listed": 1},
            "exchange": {"exists": 1, "tracked": 1, "evaluated": 0, "listed": 0},
        },
        "copied": {},
    }
    assert "copied returns: not known, since a file cannot be carried on" in err


def test_the_table_says_how_many_ranks_there_are(lake: Path, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = evaluated(capsys, "--truth", truth)
    # by rank of the tiers, not of their wallets; nobody is PROMISING
    assert "\nwhat each tier holds\nkind       ELITE  STRONG  QUALIFIED\nnoise          0       0          1\n" in out
    assert "5 wallets listed at 2026-09-21T00:00:00Z, of 9 evaluated" in out
    assert "the list has 5 ranks: beyond them, up to 100, every rank is a miss" in out
    assert "return of copying" not in out


def test_a_wallet_that_the_truth_does_not_know_is_no_hit(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(evaluated(capsys, "--truth", truth_file(tmp_path, f"{W[1]},skilled,1,"), "--format", "json")[0])
    assert found["tiers"]["QUALIFIED"] == {"unknown": 2}
    assert found["recall"]["unknown"] == {"exists": 0, "tracked": 9, "evaluated": 8, "listed": 4}
    assert found["precision"]["10"] == 0.1


def test_grades_are_counted_by_kind_whether_listed_or_not(
    lake: Path, truth: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graded = zip(W[:8], ("X", "A", "C", "B", "X", "B", "D", None), strict=True)
    write(lake, "gold/wallet_standings", [{"wallet_address": wallet, "grade": grade} for wallet, grade in graded])
    found = json.loads(evaluated(capsys, "--truth", truth, "--format", "json")[0])
    assert list(found["grades"].items()) == [
        ("A", {"skilled": 1}),
        ("B", {"skilled": 2}),
        ("C", {"noise": 1}),
        ("D", {"noise": 1}),
        ("X", {"insider": 1, "wash_pair": 1}),
    ]
    out, _ = evaluated(capsys, "--truth", truth)
    table = out.split("who has each grade, unlisted wallets too\n")[1].split("\n\n")[0].splitlines()
    assert [line.split() for line in table[:3]] == [
        ["kind", "A", "B", "C", "D", "X"], ["noise", "0", "0", "1", "1", "0"], ["skilled", "1", "2", "0", "0", "0"],
    ]  # fmt: skip
    assert [line.split()[0] for line in table[3:]] == ["insider", "wash_pair"], "a kind without a grade is left out"


@pytest.mark.parametrize("width", [None, 80, 40], ids=["pipe", "terminal", "narrow"])
def test_however_many_kinds_there_are_no_line_is_wider_than_the_screen(width: int | None) -> None:
    tiers = ("ELITE", "STRONG", "PROMISING", "QUALIFIED")
    quality = Quality(
        precision=dict.fromkeys((10, 25, 50, 100), 1.0),
        base_rate=0.5,
        average_precision=1.0,
        tiers={tier: dict.fromkeys(ROLES, 1000) for tier in tiers},
        recall={kind: dict.fromkeys(STAGES, 100_000) for kind in ROLES},
        listed=99,
        grades={grade: dict.fromkeys(ROLES, 1000) for grade in "ABCDX"},
    )
    standings = Standings([], frozenset(), frozenset(), int(AS_OF.timestamp()), tiers)
    copied: dict[str, dict[int, float | None]] = {tier: dict.fromkeys(DELAYS_S, -12.345) for tier in tiers}
    text = evaluation_text(Evaluation(quality, standings, copied, dict.fromkeys(tiers, 1000)), Screen(width))
    assert max(map(len, text.splitlines())) <= (width or 80)
    # each kind has its row in each of the three tables, and none breaks
    assert all(len(re.findall(rf"^{kind} ", text, re.MULTILINE)) == 3 for kind in ROLES)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param([f"{W[0]},skiled,1,"], "line 2: 'skiled' is no kind; the kinds are noise", id="kind"),
        pytest.param([f"{W[0]},noise,1,", "nobody,noise,1,"], "line 3: 'nobody' is no Solana address", id="address"),
        pytest.param([f"{W[0]},noise"], "line 2: it has more or fewer fields", id="short"),
        pytest.param([f"{W[0]},noise,1,,,"], "line 2: it has more or fewer fields", id="long"),
        pytest.param([f"{W[0]},noise,1,", f"{W[0]},skilled,1,"], f"line 3: {W[0]} is skilled, and noise above", id="twice"),
        pytest.param([f'{W[0]},"noise,1,'], "no CSV", id="quotes"),
        pytest.param([], "names no address", id="empty"),
        pytest.param([f"{W[11]},skilled,1,"], "the truth knows none of the 9 evaluated wallets", id="another-market"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_truth_is_refused(lake: Path, tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(SmartTraderError) as refused:
        smart_trader.main(["evaluate", "--truth", str(truth_file(tmp_path, *lines))], standalone_mode=False)
    assert words in refused.value.what
    assert refused.value.fix


@pytest.mark.parametrize(
    ("head", "words"),
    [("address,swaps", "line 1: the first line names no column kind"), ("", "names no column address and no column kind")],
)  # fmt: skip
def test_a_file_without_its_columns_is_refused(tmp_path: Path, head: str, words: str) -> None:
    with pytest.raises(SmartTraderError, match=words):
        read_truth(truth_file(tmp_path, f"{W[0]},noise", head=head))


def test_more_columns_and_their_order_do_not_matter(tmp_path: Path) -> None:
    path = truth_file(tmp_path, f"swing, noise ,{W[0]}", head="style,kind,address")
    assert read_truth(path) == {W[0]: "noise"}
    # as spreadsheets write it
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_truth(path) == {W[0]: "noise"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param([], "one of --demo and --truth is needed", id="neither"),
        pytest.param(["--demo", "--truth", "x"], "one of --demo and --truth is needed", id="both"),
        pytest.param(["--demo"], "this lake remembers no made-up market", id="no-market"),
        pytest.param(["--truth", "/nowhere.csv"], "there is no file /nowhere.csv", id="no-file"),
        pytest.param(["--truth", "/"], "/ cannot be read", id="folder"),
    ],
)
def test_what_cannot_be_judged_is_refused(lake: Path, options: list[str], words: str) -> None:
    with pytest.raises(SmartTraderError, match=words):
        smart_trader.main(["evaluate", *options], standalone_mode=False)


def test_no_lake_is_no_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, truth: Path) -> None:
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(SmartTraderError, match="there is no lake in"):
        smart_trader.main(["evaluate", "--truth", str(truth)], standalone_mode=False)


def test_a_lake_that_is_not_built_yet_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, truth: Path) -> None:
    write(tmp_path / "young", "bronze/fetch_log", [{"as_of": AS_OF}])
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "young"))
    with pytest.raises(SmartTraderError, match=r"no table gold\.leaderboard yet"):
        smart_trader.main(["evaluate", "--truth", str(truth)], standalone_mode=False)


@pytest.mark.parametrize(
    ("ranked", "relevant", "expected"),
    [
        pytest.param("abcd", "ab", (1.0, 1.0), id="all-in-front"),
        pytest.param("cdab", "ab", (0.0, (1 / 3 + 2 / 4) / 2), id="all-behind"),
        pytest.param("a", "ab", (0.5, 0.5), id="short-list"),
        pytest.param("", "ab", (0.0, 0.0), id="empty-list"),
        pytest.param("abcd", "", (0.0, None), id="nobody-to-find"),
    ],
)
def test_precision_and_average_precision(ranked: str, relevant: str, expected: tuple[float, float | None]) -> None:
    found = precision_at(list(ranked), relevant, 2), average_precision(list(ranked), relevant)
    assert found == pytest.approx(expected)


def test_every_kind_has_one_role() -> None:
    assert {*EASY_KINDS, *HARD_KINDS} <= set(ROLES)
    assert set(ROLES.values()) == {HONEST, SKILLED, ADVERSARY, INFRASTRUCTURE}
    assert [kind for kind, role in ROLES.items() if role == SKILLED] == ["skilled"]
    assert adversary_share([W[0], W[1], W[4], W[9]], KINDS_OF) == 0.5
    assert adversary_share([], KINDS_OF) is None
