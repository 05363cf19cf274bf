"""voz/data/details.py: what the ledgers say in English is shown in the reader's language."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from voz.data import details
from voz.pipeline import language

ROOT = Path(__file__).parent.parent
WRITTEN_IN = ("voz/audio", "voz/data/notes.py", "stages/convert.py", "stages/segment.py", "stages/transcribe.py", "stages/curate.py")
SENTENCE_OF = {"Fault": 1, "Unusable": 1, "Outcome": 1, "damage": 1, "Truncation": 0, "TimedOut": 0, "NoteFile": 3}  # which argument
WITHOUT_WORDS = {"FFmpeg: 7", "7 dB", "7 s"}
OF_PARTS = {"no end-of-stream page7", "7 before byte 7"}  # see test_known_sentences


def texts(node: ast.expr) -> Iterator[str]:
    """The literals that an expression may be, each placeholder filled with 7."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(each.value) if isinstance(each, ast.Constant) else "7" for each in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))


def sentences() -> set[str]:
    """What the stages write into details, by the calls that make them."""
    found: set[str] = set()
    for path in (each for name in WRITTEN_IN for each in ([ROOT / name] if name.endswith(".py") else sorted((ROOT / name).glob("*.py")))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                place = SENTENCE_OF.get(name, len(node.args))
                given = [*node.args[place : place + 1], *(each.value for each in node.keywords if each.arg == "detail")]
                found |= {text for each in given for text in texts(each)}
            elif isinstance(node, ast.FunctionDef) and node.name.endswith("_truncation"):
                found |= {text for each in ast.walk(node) if isinstance(each, ast.Return) and each.value for text in texts(each.value)}
    return found - {""} - WITHOUT_WORDS - OF_PARTS


def test_every_sentence_of_a_ledger_is_shown_in_spanish() -> None:
    assert len(sentences()) >= 30
    with language.used("es"):
        assert [text for text in sorted(sentences()) if details.shown(text) == text] == []


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("no end-of-stream page of part 2", "falta la última página de la parte 2"),
        ("3 pages missing before byte 812", "faltan 3 páginas antes del byte 812"),
        (
            "the file ends inside the page at byte 9; at least 1.5 s missing",
            "el archivo termina dentro de la página del byte 9; faltan al menos 1.5 s",
        ),
        ("a playlist, which names other files; it was not followed", "una lista de reproducción, que nombra otros archivos; no se siguió"),
        ("low_snr too_fast; cut off: (Risas)", "mucho ruido, demasiado rápido; se cortó: (Risas)"),
        ("the same sound as {x}.opus (0123456789ab)", "el mismo sonido que {x}.opus (0123456789ab)"),
        ("0.20 s", "0.20 s"),
        ("", ""),
    ],
)
def test_known_sentences(written: str, shown: str) -> None:
    with language.used("es"):
        assert details.shown(written) == shown
    with language.used("en"):
        assert details.shown(written).replace(", ", " ") == written.replace(", ", " ")
