"""Both READMEs say the same: commands, links, files, parameters and numbers; and what they name exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.help import described

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.es.md")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PARAMETER = re.compile(r"`(\w+)\.(\w+)[:`]")
NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(readme: str) -> list[str]:
    """Make's targets, dvc's subcommands and git's, sorted, as often as they are named."""
    block = re.compile(r"^```\w*\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
    code = [*block.findall(readme), *re.findall(r"`([^`]+)`", block.sub("", readme))]
    return sorted(re.findall(r"\b(?:make(?: -s)?|dvc|git) [a-z]+(?:-[a-z]+)*", "\n".join(code)))


def rows(readme: str) -> list[list[str]]:
    """The numbers of each row of each table, as Spanish and English write them."""
    return [
        sorted(number.replace(",", ".") for number in NUMBER.findall(LINK.sub("]", line)))
        for line in readme.splitlines()
        if line.startswith("|")
    ]


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_both_have_the_same_parts_commands_and_numbers() -> None:
    english, spanish = (text(name) for name in READMES)
    for pattern in (r"^#+ ", r"^\*\*\d\.", r"^\|", r"^make |^dvc "):
        assert len(re.findall(pattern, english, re.MULTILINE)) == len(re.findall(pattern, spanish, re.MULTILINE)), pattern
    assert commands(english) == commands(spanish)
    assert rows(english) == rows(spanish)


def test_both_link_to_the_same_pages() -> None:
    english, spanish = ({link for link in LINK.findall(text(name)) if not link.startswith("README")} for name in READMES)
    assert english == spanish


@pytest.mark.parametrize("name", READMES)
def test_what_a_readme_names_exists(name: str) -> None:
    readme = text(name)
    for link in LINK.findall(readme):
        page, _, anchor = link.partition("#")
        if not link.startswith("http"):
            assert (ROOT / page).exists(), link
            assert not anchor or anchor in anchors(ROOT / page), link
    targets = set(described(text("Makefile")))
    assert {each.split()[-1] for each in commands(readme) if each.startswith("make")} <= targets
    sections: dict[str, Any] = yaml.safe_load(text("params.yaml"))
    named = [(section, key) for section, key in PARAMETER.findall(readme) if section in sections]
    assert named and all(key in sections[section] for section, key in named)
