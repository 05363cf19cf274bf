"""The consent record is complete, or refused in one line that says what is wrong."""

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
