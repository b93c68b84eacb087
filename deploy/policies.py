#!/usr/bin/env python3
"""Write what the sender may read into the templates, from what its collectors declare.

    observability/collectors/*.py: actions, resources  ->  the policy `collect` in spoke.yaml and
                                                            member.yaml, between two comments

`--check` writes nothing and exits with 1 where a template is not what the collectors declare.
With a template's name it writes nothing either: it prints that template, without the actions of
what SKIP, ONLY and NO_PERSONAL_DATA in the environment switch off, as they do for the sender.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from observability.collectors import CATEGORIES, COLLECTORS
from observability.errors import UsageError
from observability.settings.sender import switched_off

TEMPLATES = tuple(Path(__file__).with_name(name) for name in ("spoke.yaml", "member.yaml"))
INDENT = " " * 14
BEGIN = f"{INDENT}# From here on written by deploy/policies.py, from what the collectors declare.\n"
END = f"{INDENT}# Up to here.\n"

Resources = tuple[str, ...]
ANY: Resources = ("*",)
REASON = (
    '# Resource "*" in the next statement: AWS knows no resources for these actions, or the',
    "# sender names none in its requests.",
)


Off = tuple[frozenset[str], bool]
"""Categories that are switched off, and whether personal data are left out."""
NOTHING_OFF: Off = (frozenset(), False)


def actions_by_resources(off: Off) -> dict[Resources, list[str]]:
    """The actions of all collectors that are switched on, by what they are about."""
    wanted: dict[str, Resources] = {}
    for collector in (one for one in COLLECTORS if one.category not in off[0]):
        without = collector.personal if off[1] else ()
        kept = [action for action in collector.actions if action not in without]
        wanted |= {action: collector.resources.get(action, ANY) for action in kept}
    found: dict[Resources, list[str]] = defaultdict(list)
    for action, resources in sorted(wanted.items()):
        found[resources].append(action)
    return found


def statement_id(resources: Resources) -> str:
    """`ReadKmsKey` for kms:*:${AWS::AccountId}:key/*, with AndMore where there are several."""
    if resources == ANY:
        return "ReadWithoutResource"
    service, rest = resources[0].split(":", 1)
    kind = re.findall(r"[a-z][a-z-]+", rest.rpartition("}:")[2] or rest)
    words = [word for part in (service, *kind[:1]) for word in part.split("-")]
    more = "AndMore" if len(resources) > 1 else ""
    return "Read" + "".join(word.capitalize() for word in words) + more


def statement(resources: Resources, actions: list[str]) -> Iterator[str]:
    """The lines of a statement."""
    if resources == ANY:
        yield from REASON
    yield f"- Sid: {statement_id(resources)}"
    yield "  Effect: Allow"
    yield "  Action:"
    yield from (f"    - {action}" for action in actions)
    if resources == ANY:
        yield '  Resource: "*"'
    else:
        yield "  Resource:"
        yield from (f"    - !Sub arn:${{AWS::Partition}}:{resource}" for resource in resources)


def statements(off: Off) -> str:
    """The statements of the policy as a piece of YAML, those without a resource first."""
    found = actions_by_resources(off)
    ordered = sorted(found, key=lambda resources: (resources != ANY, statement_id(resources)))
    lines = (line for resources in ordered for line in statement(resources, found[resources]))
    return "".join(f"{INDENT}{line}\n" for line in lines)


def renewed(text: str, off: Off = NOTHING_OFF) -> str:
    """A template's text with the statements as they have to be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + statements(off) + END + after


def print_narrowed(template: Path) -> int:
    """Print a template without the actions of what the environment switches off."""
    try:
        off = switched_off(CATEGORIES)
    except UsageError as error:
        print(f"policies.py: {error}", file=sys.stderr)
        return 2
    print(renewed(template.read_text(), off), end="")
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the sender's read policy into templates.")
    parser.add_argument("--check", action="store_true", help="only tell what is not up to date")
    parser.add_argument("template", nargs="?", help="only print this template, narrowed")
    arguments = parser.parse_args()
    if arguments.template:
        return print_narrowed(Path(arguments.template))
    check = arguments.check
    stale = [path for path in TEMPLATES if renewed(path.read_text()) != path.read_text()]
    for path in stale:
        if not check:
            path.write_text(renewed(path.read_text()))
        print(f"{path.name}: {'is not up to date; run make policies' if check else 'written'}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
