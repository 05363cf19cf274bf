"""The catalogue is complete, and what is printed, served and versioned comes in the language that it should."""

import ast
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import messages
from voz.data import reasons
from voz.metrics import filters
from voz.pipeline import language, parallel
from voz.pipeline.command import UserError
from voz.pipeline.language import later, plural, tr

ROOT = Path(__file__).parent.parent
SPANISH = {"VOZ_LANG": "es"}


def run(*command: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    names = ("VOZ_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    environment = {key: value for key, value in os.environ.items() if key not in names}
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")]), "PYTHONUTF8": "1"} | variables
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_message_is_translated_and_none_is_unused() -> None:
    wanted, here = messages.wanted(), messages.read()
    assert {each.id for each in wanted} - {each.id for each in here} == set(), "run `make messages`"
    assert {each.id for each in here} - {each.id for each in wanted} == set(), "run `make messages`"
    assert messages.unmarked() == []
    assert messages.problems(here) == []


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    assert messages.PO.with_suffix(".mo").read_bytes() == messages.as_mo(messages.read()), "run `make messages`"
    assert messages.PO.read_bytes() == messages.as_po(messages.updated(messages.read())), "run `make messages`"


def test_messages_are_found_wherever_they_stand() -> None:
    source = """
raise command.UserError("{path}: missing", "look" if a else "search", path=path)
tr("hello"); later("a" "bc"); plural("one thing", "{count} things", n); Filter(code="x", why="because"); other("not this")
tr("{what}: {why}")
"""
    assert list(messages.of_python(source)) == [
        "{path}: missing",
        "look",
        "search",
        "hello",
        "abc",
        ("one thing", "{count} things"),
        "because",
    ]
    assert messages.f_strings('tr(f"{n} things")\nprint(f"{n}")\nUserError("a", f"b{n}")') == [1, 3]


@pytest.mark.parametrize("folder", ["voz", "stages", "tools"])
def test_every_placeholder_has_its_value(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if name in ("tr", "UserError", "plural") and all(each.arg for each in node.keywords):  # not **row
                literals = [each.value for each in node.args if isinstance(each, ast.Constant)]
                named = {each for literal in literals for each in messages.placeholders(literal)} - (
                    {"count"} if name == "plural" else set()
                )
                given = {each.arg for each in node.keywords}
                assert named <= given and (given <= named or len(literals) < len(node.args)), f"{path}:{node.lineno}: {named ^ given}"


def test_a_bar_is_in_the_users_language(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOZ_LANG", "es")
    monkeypatch.setattr(parallel, "BAR_DELAY_S", 0.0)
    assert list(parallel.progress([1, 2], total=2, label=later("convert"), unit="note")) == [1, 2]
    assert capfd.readouterr().err.startswith("\rconvertir: ")
    source = 'store.map(x, label="convert", unit="note")\nvoice.speak(x, label=f"{name}: speak")'
    assert list(messages.of_python(source)) == ["convert", "note"] and messages.f_strings(source) == [2]


def test_a_missing_placeholder_is_a_problem() -> None:
    catalogue = messages.Catalog(locale="es")
    catalogue.add("{path}: missing", "{ruta}: no está")
    catalogue.add("%(count)s numbers", "%(count)s números")
    catalogue.add("look", "")
    assert messages.problems(catalogue) == ["other placeholders: {path}: missing", "not translated: look"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "es_AR.UTF-8"}, "es"),
        ({"LANG": "es"}, "es"),
        ({"LANG": "est_EE.UTF-8"}, "en"),  # Estonian's three-letter code is not Spanish
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "es_AR.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "en_US", "LC_ALL": "es_MX.UTF-8"}, "es"),
        ({"LC_ALL": "C", "VOZ_LANG": "es"}, "es"),
        ({"LANG": "es_AR.UTF-8", "VOZ_LANG": "en"}, "en"),
        ({"LANG": "es_AR.UTF-8", "LC_ALL": ""}, "es"),
    ],
)
def test_the_first_variable_that_is_set_decides(environment: dict[str, str], expected: str) -> None:
    assert language.of_user(environment) == expected


def test_translation_and_placeholders() -> None:
    assert tr("{path}: missing", path="a{b}.wav") == "a{b}.wav: missing"
    with language.used("es"):
        assert tr("{path}: missing", path="a{b}.wav") == "a{b}.wav: no está"
        assert [plural("{count} note", "{count} notes", count) for count in (1, 3)] == ["1 audio", "3 audios"]
        assert tr("") == ""
        assert later("judge") == "judge"
    assert language.current() == "en"


def test_an_error_is_translated_where_it_is_shown_also_after_another_process_raised_it() -> None:
    error: UserError = pickle.loads(pickle.dumps(UserError("{path}: missing", "run `make base`", path=Path("x{0}"))))  # noqa: S301
    assert str(error) == "x{0}: missing; run `make base`"
    with language.used("es"):
        assert (error.what, error.fix) == ("x{0}: no está", "corré `make base`")
    assert str(UserError("odd {braces", "and {more}")) == "odd {braces; and {more}"


def test_the_user_gets_errors_in_the_language_of_the_shell(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tools.inputs", "--params", str(tmp_path / "params.yaml"))
    spanish, english, chosen = (
        run(*command, LANG="es_AR.UTF-8"),
        run(*command, LANG="de_DE.UTF-8"),
        run(*command, VOZ_LANG="es", LC_ALL="C"),
    )
    assert [each.returncode for each in (spanish, english, chosen)] == [2, 2, 2]
    assert (
        spanish.stderr == f"error: {tmp_path}/params.yaml: no está; correlo desde la carpeta principal del repositorio\n" == chosen.stderr
    )
    assert english.stderr == f"error: {tmp_path}/params.yaml: missing; run from the top folder of the repository\n"


def test_every_reason_code_of_the_docs_has_a_translation() -> None:
    documented = (ROOT / "docs" / "data-format.md").read_text().split("## The ledger accounts for every input")[1]
    assert set(filters.WHY) <= set(reasons.CODES)
    assert all(f"`{code}`" in documented for code in reasons.CODES)
    with language.used("es"):
        assert all(tr(code) != code for code in reasons.CODES)


def test_no_shell_decides_the_language_of_what_is_versioned() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name, stage in stages.items():
        takes = '--language "${language}"' in stage["cmd"]
        assert takes == (name in ("train", "report"))
        assert takes == ("voz/locale" in stage["deps"])
    assert yaml.safe_load((ROOT / "params.yaml").read_text())["language"] == "en"


def test_the_list_of_targets_needs_nothing_but_python() -> None:
    done = run("make", "-s", "help", **SPANISH)
    assert "  make speak          dice TEXT=" in done.stdout
    assert run("make", "-s", "help").stdout.splitlines()[0] == "  make help           show this list"
