"""voz/audio/ogg.py: the walk over the pages finds every way in which an Ogg file is damaged or truncated."""

import pytest

from tests import recordings
from voz.audio import ogg


def test_the_checksum_is_ogg_s() -> None:
    page = recordings.note()[:47]  # the first page of an Opus file: 28 bytes of header, 19 of OpusHead
    stated = int.from_bytes(page[22:26], "little")
    assert ogg.crc(page[:22] + bytes(4) + page[26:]) == stated


def test_a_complete_file_has_no_fault_and_its_true_length() -> None:
    found = ogg.survey(recordings.note())
    assert (found.faults, found.trailing_bytes, len(found.links)) == ([], 0, 1)
    stated_s, packets_s = ogg.opus_length(found.links[0], recordings.note())
    assert stated_s == pytest.approx(len(recordings.pcm()) / 16_000, abs=1e-6)
    assert 0 <= packets_s - stated_s < 0.02  # the last packet of 20 ms is trimmed


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        (lambda: recordings.note()[:20_000], "truncated", "the file ends inside the page"),
        (lambda: recordings.note()[:-1], "truncated", "the file ends inside the page"),
        (lambda: recordings.joined(recordings.pages(recordings.note())[:9]), "truncated", "no end-of-stream page"),
        (recordings.no_end, "truncated", "no end-of-stream page"),
        (recordings.missing_page, "damaged", "1 pages missing"),
        (recordings.flipped_bit, "damaged", "wrong checksum"),
        (lambda: recordings.granule(1), "damaged", "goes backwards"),
        (
            lambda: recordings.joined([*recordings.pages(recordings.note())[:9], *recordings.pages(recordings.note())[8:]]),
            "damaged",
            "order",
        ),
        (lambda: recordings.note()[:20_000].replace(b"OggS", b"OggX", 9) + recordings.note(), "damaged", "belong to no page"),
    ],
)
def test_each_kind_of_damage_is_found(data, code: str, sentence: str) -> None:  # type: ignore[no-untyped-def]
    faults = ogg.survey(data()).faults
    assert faults[0].code == code
    assert sentence in faults[0].text


def test_garbage_after_the_end_is_counted_and_not_a_fault() -> None:
    for garbage in (b"x" * 700, b"OggS" + bytes(90), b"x" * 10 + b"OggS\0\4" + bytes([255] * 60)):
        found = ogg.survey(recordings.note() + garbage)
        assert (found.faults, found.trailing_bytes) == ([], len(garbage))


def test_a_chained_file_is_split_into_its_links() -> None:
    found = ogg.survey(recordings.note() * 3)
    assert found.faults == []
    assert [ogg.audio_bytes(link, recordings.note() * 3) for link in found.links] == [recordings.note()] * 3


def test_a_stream_cut_out_of_a_longer_one_is_complete() -> None:
    """RFC 7845, 4.3: its granule positions continue those of the longer one."""
    parts, later = recordings.pages(recordings.note()), 48_000 * 3600
    for page in parts[2:]:
        page[6:14] = (int.from_bytes(page[6:14], "little") + later).to_bytes(8, "little")
        recordings.seal(page)
    data = recordings.joined(parts)
    stated_s, packets_s = ogg.opus_length(ogg.survey(data).links[0], data)
    assert stated_s == pytest.approx(packets_s, abs=0.03)
