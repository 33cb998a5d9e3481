"""Every command of README, CONTRIBUTING and docs: it exists and takes its options; in the full form, it works.

The quick form parses each command with the real programs' own parsers and starts none. The full form runs them, in a
fresh clone with a space in its path.
"""

from __future__ import annotations

import importlib
import itertools
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml
from click.testing import CliRunner
from dbt.cli.main import cli as dbt

from .command_blocks import PROJECT, Command, all_commands, commands

COMMANDS = all_commands()
ADDRESS = "So11111111111111111111111111111111111111112"
# What stands for a value of the reader's own.
PLACEHOLDERS = {"WALLET": ADDRESS, "ADDRESS": ADDRESS, "TOKEN": ADDRESS, "T": "2026-01-31T09:00:00Z"}
SEPARATORS = ("&&", "||", "|", ";")
SANDBOX_PORT = 8765
MINUTES = 60
TRADES = "wallet,token,t,side,qty,value\nw,t,1,buy,1,1\nw,t,2,sell,1,3\n"
TRADES_JSON = '[{"id": "a", "trades": [{"t": 1, "side": "buy", "qty": 1, "value": 1}]}]'


def name_commands(found: list[Command]) -> list[object]:
    return [pytest.param(command, id=f"{command.document}: {command.line}") for command in found]


# --- the quick form


@pytest.fixture
def parse_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let click programs parse all of their command line and do nothing."""
    monkeypatch.setattr(click.Command, "invoke", lambda *_: None)
    # options put the target and the engine there
    for name in ("DBT_TARGET", "LAKEHOUSE_ENGINE"):
        monkeypatch.setenv(name, "")


def program_of(module: ModuleType) -> click.Command:
    return next(value for value in vars(module).values() if isinstance(value, click.Command))


def check_click(program: click.Command, arguments: list[str]) -> None:
    done = CliRunner().invoke(program, [PLACEHOLDERS.get(word, word) for word in arguments])
    assert done.exit_code == 0, f"{done.output} {done.exception}"


def check_script(words: list[str], arguments: list[str]) -> None:
    """Check a program's options by its help, in a process of its own."""
    done = subprocess.run([sys.executable, *words, "--help"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for option in (word.partition("=")[0] for word in arguments if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", done.stdout), f"no {option} in {done.stdout}"


def check_python(arguments: list[str]) -> None:
    if arguments[0] != "-m":
        check_script([str(PROJECT / arguments[0])], arguments[1:])
        return
    module, rest = arguments[1], arguments[2:]
    if module == "pytest":
        check_paths([word for word in rest if "/" in word])
        return
    package = importlib.util.find_spec(module)
    assert package is not None, f"no module {module}"
    main = f"{module}.__main__" if package.submodule_search_locations else module
    check_click(program_of(importlib.import_module(main)), rest)


def check_make(arguments: list[str]) -> None:
    done = subprocess.run(["make", "-n", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def check_docker(arguments: list[str]) -> None:
    """Check the services that a compose command names, and what it gives to our own program."""
    assert arguments[0] == "compose", arguments
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
    verb, *rest = [word for word in arguments[1:] if word == "--scale" or not word.startswith("-")]
    if verb in ("run", "exec"):
        assert rest[0] in services
        if verb == "run" and rest[0] == "pipeline":
            check_click(
                program_of(importlib.import_module("smart_trader.cli")), arguments[arguments.index("pipeline") + 1 :]
            )
    for scaled in (word for word in rest if re.fullmatch(r"[\w-]+=\d+", word)):
        assert scaled.partition("=")[0] in services


def check_paths(paths: list[str]) -> None:
    for path in paths:
        assert (PROJECT / path.partition("::")[0]).exists(), f"no {path}"


def check_installer(arguments: list[str]) -> None:
    """Check what an installer is given of this checkout: folders, and files behind -r."""
    files = [after for word, after in itertools.pairwise(arguments) if word == "-r"]
    check_paths([*files, *(re.sub(r"\[.*", "", word) for word in arguments if word.startswith("."))])


def check_words(words: list[str]) -> None:
    """Check one program's words; fails for a program that this test does not know."""
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if not words:
        return
    program, *arguments = words
    match program:
        case "smart-trader":
            check_click(program_of(importlib.import_module("smart_trader.cli")), arguments)
        case "dbt":
            check_click(dbt, arguments)
        case "python" | "python3":
            check_python(arguments)
        case "make":
            check_make(arguments)
        case "docker":
            check_docker(arguments)
        case "pip" | "uv":
            check_installer(arguments)
        case "cp" | "cd":
            check_paths(arguments[:1])
        case "eval":
            inner = re.fullmatch(r"\$\((.*)\)", arguments[0])
            assert inner, arguments
            check_words(Command("", inner[1]).words)
        case "export" | "git" | "set":
            pass
        case "marimo":
            if importlib.util.find_spec("marimo") is None:
                pytest.skip("marimo is not installed")
            verbs = list(itertools.takewhile(str.isalpha, arguments))
            # imported, it would replace click's messages for every other program
            check_script(["-m", "marimo", *verbs], arguments)
            check_paths([word for word in arguments if word.startswith("notebooks/")])
        case _:
            assert (Path(sys.executable).parent / program).exists(), f"no program {program} in .venv/bin"


def split_programs(words: list[str]) -> Iterator[list[str]]:
    """Cut a line's words where one program ends and the next begins."""
    part: list[str] = []
    for word in words:
        if word in SEPARATORS:
            yield part
            part = []
        else:
            part.append(word)
    yield part


@pytest.mark.usefixtures("parse_only")
@pytest.mark.parametrize("command", name_commands(COMMANDS))
def test_the_command_exists_and_takes_its_options(command: Command) -> None:
    for words in split_programs(command.words):
        check_words(words)


def test_the_documents_have_commands() -> None:
    assert {command.document for command in COMMANDS} >= {"README.md", "CONTRIBUTING.md"}
    assert any(command.line == "make demo" for command in COMMANDS)


def test_a_line_is_read_as_a_shell_reads_it() -> None:
    text = "```sh\nmake demo   # say it\n\n# all comment\necho 'a # b' # c\nuv pip \\\n  install .\n```\n```\nno command\n```\n"
    assert [command.line for command in commands("a.md", text)] == ["make demo", "echo 'a # b'", "uv pip install ."]


@pytest.mark.usefixtures("parse_only")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("make demmo", "No rule to make target", id="target"),
        pytest.param(".venv/bin/smart-trader leaderbord", "No such command", id="command"),
        pytest.param(".venv/bin/smart-trader leaderboard --topp 3", "No such option", id="option"),
        pytest.param(".venv/bin/smart-trader run --as-of yesterday", "no timestamp", id="value"),
        pytest.param(".venv/bin/python -m loaders tokens --walets f", "No such option", id="loader"),
        pytest.param(".venv/bin/dbt build --selekt a", "No such option", id="dbt"),
        pytest.param(".venv/bin/python benchmarks/pipeline.py --onli demo", "no --onli", id="script"),
        pytest.param("docker compose run --rm pipelin status", "pipelin", id="service"),
        pytest.param(".venv/bin/nothing", "no program nothing", id="program"),
    ],
)
def test_a_mistyped_command_is_found(line: str, message: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_words(Command("", line).words)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("make demo", None, id="demo"),
        pytest.param(".venv/bin/smart-trader run --demo --var token_limit=5", None, id="made-up-market"),
        pytest.param("smart-trader run", "needs an API key, or recorded responses", id="live-run"),
        pytest.param(".venv/bin/python -m loaders tokens", "needs an API key", id="live-loader"),
        pytest.param(".venv/bin/python -m loaders tokens --sandbox http://127.0.0.1:8765", None, id="sandbox-loader"),
        pytest.param(".venv/bin/python -m loaders transactions --wallets f --dry-run", None, id="dry-run"),
        pytest.param("make test", "CI runs it in a fresh clone", id="suite"),
        pytest.param("make test-slow", "CI runs it in a fresh clone", id="slow-suite"),
        pytest.param("make test-dbt111", None, id="older-dbt"),
        pytest.param("docker compose up -d", "needs Docker", id="docker"),
    ],
)
def test_only_what_cannot_run_is_left_out(line: str, reason: str | None) -> None:
    assert Command("", line).reason == reason


# --- the full form


@dataclass
class Clone:
    """A fresh clone after `make demo`, and what its commands leave running.

    Attributes:
        folder: The checkout.
        lakes: Folder of further lakes, for what needs one that does not hold the demo's market.
        servers: Sandboxes that a command has started.
    """

    folder: Path
    lakes: Path
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self, line: str) -> dict[str, str]:
        """Return a command's environment, without the developer's own settings."""
        foreign = ("LAKEHOUSE_", "SMART_TRADER_", "DBT_", "BIRDEYE_", "AWS_", "PYTHONPATH", "VIRTUAL_ENV", "PYTEST_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        other = re.search(r"\b(loaders|restore)\b", line)
        own_lake = {"LAKEHOUSE_HOME": str(self.lakes / other[1])} if other else {}
        return {**kept, **own_lake, "DO_NOT_TRACK": "1"}

    def run(self, line: str, minutes: int = 20) -> str:
        """Run a line as a shell does; returns what it printed."""
        done = subprocess.run(
            ["bash", "-euc", line],
            cwd=self.folder,
            env=self.environment(line),
            capture_output=True,
            text=True,
            check=False,
            timeout=minutes * MINUTES,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def serve(self, line: str) -> None:
        """Start a server and wait until it takes connections."""
        for server in self.servers:
            server.terminate()
            server.wait(30)
        self.servers = [subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=self.folder, env=self.environment(line))]
        until = time.monotonic() + MINUTES
        while time.monotonic() < until:
            assert self.servers[0].poll() is None, f"{line}: ended by itself"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", SANDBOX_PORT)) == 0:
                    return
            time.sleep(0.2)
        pytest.fail(f"{line}: did not answer")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """Clone the project into a folder with a space in its path, and begin as README does."""
    base = tmp_path_factory.mktemp("a fresh clone")
    made = Clone(base / "smart trader", base / "further lakes")
    subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(made.folder)], check=True)
    (made.folder / "my_trades.csv").write_text(TRADES)
    (made.folder / "my_trades.json").write_text(TRADES_JSON)
    (made.folder / "my_wallets.txt").write_text(f"{ADDRESS}\n")
    made.run("make demo")
    yield made
    for server in made.servers:
        server.terminate()
        server.wait(30)


def with_values(clone: Clone, line: str) -> str:
    """Put values of this clone where a command has a placeholder."""
    board = clone.run(".venv/bin/smart-trader leaderboard --top 1 --format csv") if "WALLET" in line else ""
    found = re.search(r"[1-9A-HJ-NP-Za-km-z]{32,44}", board)
    backup = shlex.quote(str(clone.folder.parent / "backup"))
    values = {**PLACEHOLDERS, "WALLET": found[0] if found else ADDRESS, "DEST": backup, "SRC": backup}
    return " ".join(values.get(word, word) for word in line.split(" "))


@pytest.mark.full
@pytest.mark.parametrize("command", name_commands([command for command in COMMANDS if command.reason is None]))
def test_the_command_works_in_a_fresh_clone(clone: Clone, command: Command) -> None:
    line = with_values(clone, command.line)
    if "sandbox serve" in line:
        clone.serve(line)
    else:
        clone.run(line)
