"""Settings: each is declared once, and flags, --help, environment and docs follow from that."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NoReturn

from observability import __version__
from observability.errors import UsageError
from observability.settings.kinds import SWITCH, Kind, choice
from observability.settings.values import not_set, split


@dataclasses.dataclass(frozen=True)
class Setting:
    """A setting, or a flag that says what to do.

    `variable` is that of the environment, if it has one; a flag wins over it. `non_empty` is for
    what narrows down what is read: an empty one, say by a variable of a shell that is not set,
    would have everything read. Of those in a group that are `exclusive` one can be given. An
    `event` of AWS Lambda may give it too.
    """

    name: str
    kind: Kind
    group: str
    help: str
    variable: str = ""
    default: Any = None
    needed: bool = False
    non_empty: bool = False
    event: bool = False
    exclusive: bool = False
    short: str = ""

    @property
    def flag(self) -> str:
        """How it is given on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.variable} ({self.flag})" if self.variable else self.flag

    @property
    def meaning(self) -> str:
        """What it means, and its default."""
        if not self.default:
            return self.help
        default = f"{self.default:g}" if isinstance(self.default, int | float) else self.default
        return f"{self.help}; default: {default}"

    def read(self, given: Any, variable: str | None) -> Any:
        """Its value, by what is given (a flag's or an event's), else by the variable's text.

        Empty counts as not given. UsageError says in a line what is missing or wrong.
        """
        for name, entry in ((self.flag, given), (self.variable, variable or None)):
            texts = entry if isinstance(entry, list) else [entry]
            if self.non_empty and entry is not None and not (texts and all(map(split, texts))):
                raise UsageError(f"{name} is empty: name something or leave it out")
            if value := ",".join(entry) if isinstance(entry, list) else entry:
                return self.convert(value)
        if self.needed:
            raise not_set(self.variable, self.flag)
        return self.default

    def convert(self, given: Any) -> Any:
        """The value of what is given; UsageError for what can be none."""
        try:
            return self.kind.read(given)
        except ValueError as error:
            raise UsageError(f"{self.label}: {error}") from None


def setting(kind: Kind, group: str, text: str, **more: Any) -> Any:
    """The field of a dataclass that holds a setting, declared by what else a Setting has."""
    declared = Setting("", kind, group, text, **more)
    default = dataclasses.MISSING if "default" not in more and declared.needed else declared.default
    return dataclasses.field(default=default, metadata={"setting": declared})


def declared_in(settings: type) -> tuple[Setting, ...]:
    """The settings that are declared as fields of a dataclass."""
    found = [(entry.name, entry.metadata.get("setting")) for entry in dataclasses.fields(settings)]
    return tuple(dataclasses.replace(entry, name=name) for name, entry in found if entry)


def read_all(
    settings: Iterable[Setting],
    given: Mapping[str, Any],
    environment: Mapping[str, str],
    optional: Collection[str] = (),
) -> dict[str, Any]:
    """The value of each setting, by its name; those that are `optional` this time may be missing.

    UsageError has a line for each that is missing or malformed.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for one in settings:
        if one.name in optional:
            one = dataclasses.replace(one, needed=False)
        try:
            values[one.name] = one.read(given.get(one.name), environment.get(one.variable))
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(problems))
    return values


class Parser(argparse.ArgumentParser):
    """A command line whose errors are one line each."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def build_parser(
    script: str, description: str, groups: Mapping[str, str], settings: Iterable[Setting]
) -> argparse.ArgumentParser:
    """The command line of a script: its settings under the titles of `groups`, in their order.

    Values stay texts, for `read_all`.
    """
    parser = Parser(
        prog=script,
        usage="%(prog)s [options]",
        description=description,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    declared = tuple(settings)
    for name, title in groups.items():
        group = parser.add_argument_group(title)
        alone = group.add_mutually_exclusive_group()
        for one in (one for one in declared if one.group == name):
            add_option(alone if one.exclusive else group, one)
    return parser


EPILOG = """\
A name in brackets is an environment variable; an option wins over it.
Exit codes: 0 all is well, 1 something failed, 2 wrong use or settings,
128 and its number after a signal (SIGINT 130, SIGTERM 143)."""


def add_option(target: argparse._ActionsContainer, one: Setting) -> None:
    """Add a setting's flag to a command line."""
    more: dict[str, Any] = {"action": "append"} if one.kind.several else {}
    more |= {"metavar": one.kind.metavar} if one.kind.metavar else {"action": "store_true"}
    if one.kind.choices:
        more = {"choices": one.kind.choices, "default": one.default}
    if one.name in ("help", "version"):
        more = {"action": "help"} if one.name == "help" else {"action": VersionAction, "nargs": 0}
    variable = f" [{one.variable}]" if one.variable else ""
    flags = (one.short, one.flag) if one.short else (one.flag,)
    target.add_argument(*flags, dest=one.name, help=f"{one.meaning}{variable}", **more)


class VersionAction(argparse.Action):
    """Prints what a report of an error needs: the versions of script, SDK and Python."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print one line, and end."""
        print(version_line(parser.prog))
        parser.exit()


def version_line(script: str) -> str:
    """The versions of script, SDK and Python in one line; the SDK is not loaded for it."""
    import platform

    sdk = ", ".join(f"{name} {installed(name)}" for name in ("boto3", "botocore"))
    return f"{script} {__version__}, {sdk}, Python {platform.python_version()}, {sys.platform}"


def installed(package: str) -> str:
    """The version of a package, or that it is missing."""
    from importlib import metadata  # here, as it takes a tenth of the time of --help

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


HELP = Setting("help", SWITCH, "general", "show this help and exit", short="-h")
VERSION = Setting(
    "version", SWITCH, "general", "show the versions of script, boto3 and Python, and exit"
)
LOG_FORMAT = Setting(
    "log_format", choice("text", "json"), "general", "form of the log on stderr", default="text"
)
VERBOSE = Setting(
    "verbose", SWITCH, "general", "log every AWS call, timings and tracebacks too",
    exclusive=True, short="-v",
)  # fmt: skip
QUIET = Setting(
    "quiet", SWITCH, "general", "log failures only, for cron", exclusive=True, short="-q"
)
GENERAL = (HELP, VERSION, LOG_FORMAT, VERBOSE, QUIET)
"""What both scripts have."""
