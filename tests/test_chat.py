"""Chats as phones export them: who sent which file, and when. Names and texts are invented."""

import time
import unicodedata

import pytest

from tools.whatsapp.chat import MAX_LINE_CHARS, Attachment, parse
from tools.whatsapp.names import clean_sender

NNBSP, NBSP, LRM, BOM = "\u202f", "\u00a0", "\u200e", "\ufeff"


@pytest.mark.parametrize(
    ("line", "sender", "date"),
    [
        ("12/5/23, 17:45 - Ana Pérez: PTT-20230512-WA0001.opus (archivo adjunto)", "Ana Pérez", "2023-05-12T17:45"),
        (f"12/5/23, 5:45{NNBSP}p.{NBSP}m. - Ana: {LRM}PTT-20230512-WA0001.opus (archivo adjunto)", "Ana", "2023-05-12T17:45"),
        ("12/5/2023, 12:05 a. m. - Ana: PTT-20230512-WA0001.opus (archivo adjunto)", "Ana", "2023-05-12T00:05"),
        ("5/12/23, 12:05 PM - Ana: PTT-20230512-WA0001.opus (file attached)", "Ana", "2023-05-12T12:05"),
        ("12.05.23, 17:45 - Ana: PTT-20230512-WA0001.opus (Datei angehängt)", "Ana", "2023-05-12T17:45"),
        ("12/5/2023 a las 17:45 - Ana: PTT-20230512-WA0001.opus (archivo adjunto)", "Ana", "2023-05-12T17:45"),
        ("2023/5/12 下午5:45 - Ana: PTT-20230512-WA0001.opus (文件附件)", "Ana", "2023-05-12T17:45"),
        ("2023. 05. 12. 17:45 - Ana: PTT-20230512-WA0001.opus (fájl csatolva)", "Ana", "2023-05-12T17:45"),
        ("١٢/٥/٢٠٢٣, ٥:٤٥ م - \u202aAna\u202c: PTT-20230512-WA0001.opus (الملف مرفق)", "Ana", "2023-05-12T17:45"),
        ("12/5/23, 17:45 - Ana: trabajo: PTT-20230512-WA0001.opus (archivo adjunto)", "Ana: trabajo", "2023-05-12T17:45"),
        (
            "12/5/23, 17:45 - \u202a+54 9 11 5555-0101\u202c: PTT-20230512-WA0001.opus (archivo adjunto)",
            "+54 9 11 5555-0101",
            "2023-05-12T17:45",
        ),
        ("12/5/23, 17:45 - Ana: PTT-20230512-WA0001.opus (archivo adjunto) <Se editó este mensaje.>", "Ana", "2023-05-12T17:45"),
        ("12/5/23, 5:45 vespere - Ana: PTT-20230512-WA0001.opus (adiunctum)", "Ana", "2023-05-12"),
    ],
)
def test_android_line(line: str, sender: str, date: str) -> None:
    chat = parse(f"{BOM}{line}\nsegunda línea\n")
    assert chat.attachments == [Attachment("PTT-20230512-WA0001.opus", sender, date, "segunda línea")]


@pytest.mark.parametrize(
    ("line", "sender", "date"),
    [
        (f"{LRM}[12/5/23, 17:45:32] Ana: {LRM}<adjunto: NAME>", "Ana", "2023-05-12T17:45"),
        (f"[12/5/23, 5:45:32{NNBSP}p.{NNBSP}m.] ~{NNBSP}Ana: {LRM}<adjunto: NAME>", "Ana", "2023-05-12T17:45"),
        ("[5/12/23, 5:45:32 PM] Ana: <attached: NAME>", "Ana", "2023-05-12T17:45"),
        ("[12.05.23, 17:45:32] Ana: <Anhang: NAME>", "Ana", "2023-05-12T17:45"),
        ("[2023-05-12, 17:45:32] Ana: NAME <attached>", "Ana", "2023-05-12T17:45"),
        (f"[12/5/23, 17:45:32] Ana: {LRM}escuchá: esto <adjunto: NAME>", "Ana", "2023-05-12T17:45"),
        ("[12/5/23, 17:45:32] Ana: trabajo: <adjunto: NAME>\r", "Ana: trabajo", "2023-05-12T17:45"),
        ("12/5/23 17:45:32: Ana: NAME <adjunto>", "Ana", "2023-05-12T17:45"),  # until 2016
        ("2023-05-12, 17:45:32: Ana: NAME <adjunto>", "Ana", "2023-05-12T17:45"),
        ("12/5/23 5:45:32 PM: Ana: NAME <attached>", "Ana", "2023-05-12T17:45"),
    ],
)
def test_ios_line(line: str, sender: str, date: str) -> None:
    name = "00000012-AUDIO-2023-05-12-17-45-32.opus"
    (found,) = parse(line.replace("NAME", name) + "\n").attachments
    assert (found.name, found.sender, found.date) == (name, sender, date)
    assert found.text == ("escuchá: esto" if "escuchá" in line else "")


@pytest.mark.parametrize(
    "line",
    [
        "12/5/23, 17:45 - Ana: te mandé PTT-20230512-WA0001.opus",  # somebody wrote a file's name
        "PTT-20230512-WA0001.opus (archivo adjunto)",  # the second line of a message
        "12/5/23, 17:45 - Ana: <Multimedia omitido>",
        "12/5/23, 17:45 - Ana cambió el asunto a PTT-20230512-WA0001.opus y se fue",
    ],
)
def test_no_attachment(line: str) -> None:
    assert parse(line).attachments == []


def test_month_before_day_is_recognised_by_other_lines() -> None:
    lines = ["5/3/23, 9:00 AM - Ana: hola", "5/25/23, 9:00 AM - Ana: hola", "6/2/23, 9:00 AM - Ana: tema.mp3 (file attached)"]
    assert parse("\n".join(lines)).attachments[0].date == "2023-06-02T09:00"


def test_month_before_day_is_recognised_by_file_names_alone() -> None:
    assert parse("5/6/23, 9:00 - Ana: PTT-20230506-WA0000.opus (x)").attachments[0].date == "2023-05-06T09:00"
    assert parse("5/6/23, 9:00 - Ana: PTT-20230605-WA0000.opus (x)").attachments[0].date == "2023-06-05T09:00"


def test_a_file_belongs_to_the_first_message_that_attaches_it() -> None:
    name = "PTT-20230512-WA0001.opus"
    chat = parse(f"12/5/23, 17:45 - Ana: {name} (archivo adjunto)\n12/5/23, 17:46 - Beto: {name} (archivo adjunto)")
    assert [each.sender for each in chat.attachments] == ["Ana"]


def test_a_file_belongs_to_whatsapps_message_and_not_to_one_that_somebody_typed() -> None:
    name = "PTT-20230512-WA0001.opus"
    typed = [f"12/5/23, 17:44 - Beto: {name}", f"12/5/23, 17:44 - Beto: {name} (la tuya)"]
    others = f"12/5/23, 17:46 - Ana: PTT-20230512-WA0002.opus (archivo adjunto)\n12/5/23, 17:45 - Ana: {name} (archivo adjunto)"
    for line in typed:
        assert [each.sender for each in parse(f"{line}\n{others}").attachments] == ["Ana", "Ana"]
    marked = f"12/5/23, 17:44 - Beto: {name} (archivo adjunto)\n12/5/23, 17:45 - Ana: {LRM}{name} (archivo adjunto)"
    assert [each.sender for each in parse(marked).attachments] == ["Ana"]
    assert [
        each.sender
        for each in parse(f"[12/5/23, 17:44:00] Beto: <adjunto: {name}>\n{LRM}[12/5/23, 17:45:00] Ana: {LRM}<adjunto: {name}>").attachments
    ] == ["Ana"]


def test_a_caption_with_a_colon_is_no_part_of_the_sender() -> None:
    name = "00000012-AUDIO-2023-05-12-17-45-32.opus"
    chat = parse(f"[12/5/23, 17:44:00] Ana: hola\n[12/5/23, 17:45:32] Ana: lo que dijo Beto: <adjunto: {name}>")
    assert [(each.sender, each.text) for each in chat.attachments] == [("Ana", "lo que dijo Beto")]
    chat = parse(
        f"[12/5/23, 17:44:00] Ana: trabajo: hola\n[12/5/23, 17:45:32] Ana: trabajo: <adjunto: {name}>\n[13/5/23, 9:00:00] Ana: chau"
    )
    assert [each.sender for each in chat.attachments] == ["Ana: trabajo"]


def test_file_names_with_spaces() -> None:
    for line in ("12/5/23, 17:45 - Ana: audio nuevo.mp3 (archivo adjunto)", "[12/5/23, 17:45:32] Ana: <adjunto: audio nuevo.mp3>"):
        assert [(each.name, each.sender) for each in parse(line).attachments] == [("audio nuevo.mp3", "Ana")]


N = 1 << 20
HEAD = "12/5/23, 17:45"
ACCENTS = "\u0301\u0316" * (N // 2)


@pytest.mark.parametrize(
    "line",
    [
        f"{HEAD}{' ' * N}- Ana",
        f"{HEAD} - {'<a:' * (N // 3)}",
        f"{HEAD} - Ana: {'a' * N}",
        f"{HEAD} - Ana: {'a.opus ' * (N // 7)}",
        f"{HEAD} - Ana: {'(' * N})",
        f"{HEAD} - {': ' * (N // 2)}<adjunto: a.opus>",
        f"{HEAD} - Ana: a.opus{' ' * N}x",
        f"[{' ' * N}{HEAD}",
        f"{HEAD} - Ana{ACCENTS}: {LRM}<adjunto: a.opus>",
        f"{HEAD} - Ana: a{ACCENTS}.opus (archivo adjunto)",
        f"{'1' * N}/5/23",
    ],
    ids=range(11),
)
def test_a_line_is_read_in_linear_time(line: str) -> None:
    """Each as one line, which is skipped, and cut into lines just below the limit; quadratic patterns took minutes for 1 MB."""
    assert len(line) >= N
    assert parse(line).attachments == []
    piece = line[: MAX_LINE_CHARS // 2 - 40] + line[-40:]
    began = time.process_time()
    parse("\n".join([piece] * (2 * N // MAX_LINE_CHARS)))
    assert time.process_time() - began < 5.0  # takes some hundredths of a second


def test_lines_that_end_as_on_an_old_mac() -> None:
    assert parse("12/5/23, 17:45 - Ana: hola\r12/5/23, 17:46 - Ana: chau\r").messages == 2


def test_odd_line_separators_do_not_split_a_message() -> None:
    chat = parse("12/5/23, 17:45 - Ana: hola\u2028[12/5/23, 17:45:32] Beto: <adjunto: PTT-20230512-WA0001.opus>\x0b\n")
    assert chat.messages == 1 and not [each for each in chat.attachments if each.sender == "Beto"]


def test_names_are_composed_and_marks_are_removed() -> None:
    decomposed = unicodedata.normalize("NFD", "José Núñez")
    assert clean_sender(f"\u202a~{NNBSP}{decomposed}\u202c ") == "José Núñez"
    assert clean_sender("👨\u200d👩\u200d👧 familia") == "👨\u200d👩\u200d👧 familia"  # joiners are part of the emoji
    assert clean_sender("~~ Ana") == "Ana" and clean_sender("~ ~") == "~ ~"  # somebody may be called so


@pytest.mark.parametrize("sender", ["~~ Ana", "~" + "e\u0301" * 256, "  " + "e\u0301" * 256, "e\u0301" * 300])
def test_a_clean_sender_is_not_cleaned_further(sender: str) -> None:
    """The mark and the spaces go before the length decides whether the name is composed: found by `make fuzz`."""
    once = clean_sender(sender)
    assert clean_sender(once) == once


def test_control_characters_of_a_name_reach_no_terminal() -> None:
    (found,) = parse(f"12/5/23, 17:45 - \x1b[31mAna\x07\x9b: {LRM}a\0.opus (archivo adjunto)").attachments
    assert (found.sender, found.name) == ("[31mAna", "a.opus")
