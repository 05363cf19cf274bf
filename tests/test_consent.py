"""The consent record is complete, or refused in one line that says what is wrong."""

import itertools
from pathlib import Path

import pytest

from voz.data import consent
from voz.pipeline.command import UserError


def test_a_record_reads_back_and_a_bad_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / consent.NAME
    with pytest.raises(UserError, match="no consent record"):
        consent.read(tmp_path)
    given = consent.Consent("Ana: Pérez", "2026-05-12", "Sí — de acuerdo #1", "privado")
    consent.write(tmp_path, given)
    assert consent.read(path) == given
    path.write_text("speaker: Ana\ndate: 2026-05-12\nstatement: ''\nscope: privado\n")
    with pytest.raises(UserError, match=r"consent.yaml: statement: '' is empty or not text"):
        consent.read(tmp_path)
    path.write_text("speaker: Ana\ndate: ayer\nstatement: sí\nscope: privado\n")
    with pytest.raises(UserError, match="'ayer' is not a date"):
        consent.read(tmp_path)
    path.write_text("speaker: Ana\nstatement: sí\n")
    with pytest.raises(UserError, match="missing date, scope"):
        consent.read(tmp_path)
    path.write_text("speaker: [Ana\n")
    with pytest.raises(UserError, match="not YAML"):
        consent.read(tmp_path)


ALIASES = "a: &a [x]\n" + "".join(f"{after}: &{after} [{f'*{each}, ' * 9}]\n" for each, after in itertools.pairwise("abcdefghij"))


@pytest.mark.parametrize(
    "text",
    [
        "speaker: Ana\ndate: 2026-05-32\nstatement: sí\nscope: privado\n",
        "[" * 5000,
        f"{ALIASES}speaker: *j\ndate: 2026-05-12\nstatement: sí\nscope: privado\n",
    ],
    ids=["no such day", "nested", "ten levels of aliases"],
)
def test_odd_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / consent.NAME).write_text(text)
    with pytest.raises(UserError) as caught:
        consent.read(tmp_path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
