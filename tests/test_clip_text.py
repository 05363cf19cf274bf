"""voz/text/clip_text.py: whose words the text of a clip is, and in which forms."""

from tests import tiny_base
from voz.model import xtts
from voz.text import clip_text

WHISPERS = "Llegué a las 3. Subtítulos realizados por la comunidad de Amara.org"


def test_whispers_text_loses_what_nobody_said_and_a_persons_stays() -> None:
    tokenizer = xtts.read_tokenizer(tiny_base.POCKET)
    cut = clip_text.of("", WHISPERS, tokenizer)
    assert (cut.written, cut.normalized, cut.spoken) == ("Llegué a las 3.", "Llegué a las tres.", "llegué a las tres")
    assert " ".join(cut.cut_off) == "Subtítulos realizados por la comunidad de Amara.org"
    own = clip_text.of("Subtítulos |\n de Amara.org 😀", WHISPERS, tokenizer)
    assert (own.written, own.cut_off, own.dropped) == ("Subtítulos , de Amara.org 😀", (), ("😀",))
