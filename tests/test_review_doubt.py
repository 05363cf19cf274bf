"""The order of the clips on the review page, and the file that stores the decisions."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages import curate
from tests import clips
from tools.review import backend, doubt
from voz.data import corrections
from voz.metrics import filters
from voz.pipeline import command, ledger, records
from voz.text.clip_text import ClipText

ROOT = Path(__file__).parent.parent
# The numbers below are for the confidence of the real Whisper, params.yaml is for the pocket one.
PARAMS = curate.Params(**yaml.safe_load((ROOT / "params.yaml").read_text())["curate"] | {"min_avg_logprob": -1.0})
KNOBS = dataclasses.asdict(PARAMS)
CLEAN = {
    "hallucination": 0.0,
    "repetition": 1.1,
    "other_language_prob": 0.0,
    "prompt_leak": 0.0,
    "avg_logprob": -0.2,
    "chars_per_s": 14.0,
    "missing_share": 0.05,
    "snr_db": 40.0,
    "clipping": 0.1,
    "music": 0.0,
    "speaker_deviations": 0.5,
    "duplicate": 0.0,
}
SCORED = [each for each in filters.FILTERS if each.score in CLEAN]
EDGES = [(each.score, each.limit(KNOBS) + step) for each in SCORED for step in (-0.01, 0.0, 0.01)]


def test_every_filter_whose_score_is_in_the_ledger_has_a_closeness() -> None:
    found = {each.filter.code for each in doubt.closeness(CLEAN, KNOBS)}
    assert found == {each.code for each in SCORED}
    assert {each.code for each in filters.FILTERS} - found == {"too_few_words", "text_too_long"}


@pytest.mark.parametrize(("score", "value"), [*EDGES, ("snr_db", -3.0), ("chars_per_s", 0.0), ("speaker_deviations", -1.0)])
def test_a_share_is_above_one_exactly_where_curate_rejects(score: str, value: float) -> None:
    clip = clips.clip_of("mine-0", clips.pcm("mine-0"))
    scores = CLEAN | {score: value}
    candidate = curate.Candidate(clip, clips.transcript_of(clip, ""), None, ClipText(*["bueno che dale"] * 3), scores)
    over = [each.filter.code for each in doubt.closeness(scores, KNOBS) if each.share > 1]
    assert sorted(over) == sorted(curate.failed_filters(candidate, PARAMS))


def case_of(name: str, scores: dict[str, float], reason: str = "", remark: str = "") -> tuple[records.Clip, ledger.Row]:
    clip = clips.clip_of(name, clips.pcm("mine-0"))
    numbers = " ".join(f"{key}={value:g}" for key, value in scores.items())
    detail = f"{remark}; {numbers}" if remark else numbers
    return clip, ledger.Row(clip.id, clip.id, "rejected" if reason else "accepted", reason, "0", "1", "", detail)


def test_order_is_rejected_then_near_a_limit_then_sure_then_decided() -> None:
    given = [
        case_of("sure", CLEAN),
        case_of("near", CLEAN | {"snr_db": 12.5}),
        case_of("words", CLEAN, "too_few_words"),
        case_of("far", CLEAN | {"avg_logprob": -1.7}, "low_confidence", "copy of; = 'ab'"),
    ]
    found = doubt.cases([clip for clip, _ in given], [], [row for _, row in given], KNOBS)
    order = [given[i][0].id for i in (3, 2, 1, 0)]
    assert [case.clip.id for case in found] == order
    assert [round(case.doubt, 2) for case in found] == [1.7, 1.0, 0.96, 0.56]
    assert found[0].remark == "copy of; = 'ab'"
    decided = {order[0]: corrections.Correction(order[0], True, "")}
    assert [case.clip.id for case in doubt.undecided_first(found, decided)] == [*order[1:], order[0]]


def test_a_clip_that_curate_has_not_seen_has_whispers_confidence_alone() -> None:
    clip = clips.clip_of("new", clips.pcm("mine-0"))
    found = doubt.cases([clip], [clips.transcript_of(clip, "che", avg_logprob=-0.8)], [], KNOBS)
    assert found[0].doubt == pytest.approx(0.8) and found[0].transcript == "che"


WRITER = """
import sys
from pathlib import Path
from voz.data import corrections
for n in range(25):
    clip = f"{sys.argv[1]}-{n:07d}-9999999"
    corrections.decide(Path("c.csv"), clip, lambda _: corrections.Correction(clip, True, f"línea {n}, che"))
"""


def test_pages_that_write_at_once_lose_no_decision(tmp_path: Path) -> None:
    corrections.write(tmp_path / "c.csv", [])
    command_of = [sys.executable, "-c", WRITER]
    writers = [subprocess.Popen([*command_of, note * 12], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) for note in "abcd"]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert len(corrections.read(tmp_path / "c.csv")) == 100
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


def test_an_invalid_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("clip;action;text\n")
    with pytest.raises(command.UserError, match="write `clip,action,text`"):
        corrections.decide(path, "a" * 12 + "-0000000-0009000", lambda _: None)
    assert path.read_text() == "clip;action;text\n"


def test_a_text_is_one_line_without_control_characters() -> None:
    assert backend.one_line(" hola\n\tche\x00\u202e  ñandú ") == "hola che ñandú"
