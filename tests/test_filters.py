"""The table of filters: complete, in its order, importable anywhere, and the same in the docs."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from stages import curate
from voz.metrics import filters
from voz.model import xtts
from voz.text.tokens import LANGUAGE

ROOT = Path(__file__).parent.parent
ORDER = """
no_text unknown_characters too_many_tokens audio_too_short audio_too_long rejected_by_person
hallucination loop wrong_language prompt_leak low_confidence too_slow incomplete too_fast too_few_words text_too_long
near_duplicate low_snr clipping music other_speaker
""".split()


def test_reasons_keep_their_order() -> None:
    """reports/curate.json lists them so, and a clip's first one is its reason in the ledger."""
    assert list(filters.WHY) == ORDER


def test_every_threshold_of_curate_is_the_knob_of_one_filter() -> None:
    thresholds = {field.name for field in fields(curate.Params)} - {"eval_share", "test_share"}
    knobs = [each.knob for each in filters.FILTERS if each.fixed is None]
    assert sorted(knobs) == sorted(thresholds)
    assert all(knob.startswith(f"{each.direction}_") for each in filters.FILTERS if (knob := each.knob))
    assert all(bool(each.knob) != (each.fixed is not None) for each in filters.FILTERS)


@pytest.mark.parametrize(("code", "rejected"), [("low_snr", [True, False, False]), ("music", [False, False, True])])
def test_a_score_at_the_limit_passes(code: str, rejected: list[bool]) -> None:
    each = next(each for each in filters.FILTERS if each.code == code)
    limit = each.limit({"min_snr_db": 12.0, "max_music": 0.25})
    assert [each.rejects(limit + step, limit) for step in (-0.01, 0.0, 0.01)] == rejected


def test_the_longest_text_is_coquis_own_limit() -> None:
    tokenizer = xtts.read_tokenizer(ROOT / "models" / "pocket" / "xtts")
    assert tokenizer.char_limits[LANGUAGE] == filters.MAX_CHARS


def test_the_table_needs_no_library() -> None:
    """The review page reads it in an environment of its own, and cuts texts as curate does."""
    libraries = ("numpy", "scipy", "torch", "soundfile", "num2words")
    code = f"import sys, voz.metrics.filters, voz.text.unspoken; print([name for name in {libraries} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_docs_list_every_reason_of_curate() -> None:
    rules = {each.code: f"`{each.rule}`" for each in filters.FILTERS}
    docs = (ROOT / "docs" / "data-format.md").read_text(encoding="utf-8")
    rows = [f"| `{code}` | {why} | {rules.get(code, '')} |".replace("|  |", "| |") for code, why in filters.WHY.items()]
    assert "\n".join(rows) in docs
