"""Findings as annotations, which GitHub shows beside the line of the file."""

import os


def is_wanted(asked: bool) -> bool:
    """True where it is asked for, and in every GitHub workflow."""
    return asked or os.environ.get("GITHUB_ACTIONS") == "true"


def escaped(text: str, more: str = "") -> str:
    """As the workflow commands of GitHub want it."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def annotation(finding: str) -> str:
    """The line for a finding as it is printed, 'path:line: rule: message'.

    >>> print(annotation("a.ipynb:7: order: cell 2: was run as number 5"))
    ::error file=a.ipynb,line=7,title=order::cell 2: was run as number 5
    """
    place, rule, message = finding.split(": ", 2)
    path, _, line = place.rpartition(":")
    file, title = escaped(path, ":,"), escaped(rule, ":,")
    return f"::error file={file},line={line},title={title}::{escaped(message)}"
