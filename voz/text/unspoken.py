"""What Whisper writes that nobody said: annotations, credits of subtitles, sentences of videos.

Whisper was trained on subtitles. Where speech is unclear or absent, it writes what subtitles hold there: "(Risas)", "Subtítulos
por la comunidad de Amara.org", "¡Suscríbete al canal!". `cut` takes annotations out of a text, and credits off its ends. What
else of the kind is left in it, `invented` returns: such a text is of no use.
"""

import re
import unicodedata
from dataclasses import dataclass

from voz.text.letters import fold, without_accents

# --- Annotations: what subtitles say about the sound. ---
_LETTER = r"[^\W\d_]"  # "(011) 4567" is a telephone number
_SIGNS = "♩♪♫♬🎵🎶🎼"
_SOMETHING = rf"(?:{_LETTER}|[{_SIGNS}])"
_BRACKETED = re.compile(
    rf"""\((?=[^()]*{_SOMETHING})[^()]*\)                # (Risas)
       | \[(?=[^][]*{_SOMETHING})[^][]*\]                # [Música]
       | [([](?=\s*{_LETTER})(?:\s*[^\s()[\]]+){{1,3}}$  # [Música, where the window ended
       | \*(?={_LETTER})[^*]*(?<!\s)\*                   # *suspira*
       | \(\s*\) | \[\s*\]                               # what is left of ((ríe))
       | </?(?:i|b|u|font)\b[^<>]*> | \{{\\[^{{}}]*\}}                 # <i>, {{\an8}}
    """,
    re.VERBOSE,
)
_SUNG = re.compile(rf"[{_SIGNS}]+(?P<words>[^{_SIGNS}]*)[{_SIGNS}]*")  # ♪ lyrics ♪
_TURN = re.compile(rf"(?:^|(?<=[.!?…]\s))(?:[-–—]+\s*(?={_LETTER}|[¿¡\"«])|>>+\s*)")  # the dash of "- Hola. - ¿Qué tal?"
_SOUND_WORDS = {"musica", "music", "cancion", "canto", "de", "fondo"}  # between musical notes they are an annotation, not lyrics

# --- Credits: who made the subtitles. Matched without accents; capitals stay, because they tell names from other words. ---
_SUBTITLES = r"(?:(?i:mas\s)?(?i:subtitul(?:[oa]s?|ad[oa]s?|aje|acion|ador\w*)|transcri(?:pcion|ptor\w*|p?t[oa]))|CC)"
_FILM = (
    r"(?i:traduc(?:cion|id[oa]|tora?)|doblaje|doblad[oa]|edicion|editad[oa]|editora?|revision|correccion|sincroniza(?:cion|d[oa])|guion"
    r"|montaje|locucion|producid[oa])"
)
_ENGLISH = (
    r"(?i:(?:closed\s)?caption\w*|subtitle[sd]?|subtitling|subs?|transcri(?:bed|pts?|ptions?)|translat\w+|edited|synced|corrected|music)"
)
_ABROAD = r"(?:Untertitel\w*|Sous-?titr\w*|Sottotitol\w*|Legendas|Copyright|©|Todos\slos\sderechos\sreservados)"
_AMARA = r"(?i:amara\.?\s?org)"
_NAME = r"(?:[A-Z][\w.'’-]*|@\w+|https?://\S+|www\.\S+|\w[\w-]*\.(?:com|org|net|ai|tv|io)\b\S*)"
_GROUP = r"(?:(?:la|el|los|las)\s)?(?:(?:comunidad|equipo|grupo|canal|usuari[oa]|voluntarios)\s(?:del?\s)?(?:la\s|el\s)?)?"
_NAMES = rf"{_GROUP}{_NAME}(?:(?:,?\s(?:(?:y|e|and|de|del|la|los)\s)*|\s?[&/]\s?|\s-\s){_NAME})*(?:,?\s\d{{4}})?"
_MORE = r"(?:\s[a-z]+){0,5}?"  # "realizados", "en español", "y traducción"
_BY_SUBTITLER = rf"{_SUBTITLES}{_MORE}(?:\s(?:por|by|de(?=\sla\scomunidad)|en(?=\s(?:www|http)))\s|\s?[:-]\s){_NAMES}"
_BY_AMARA = rf"{_SUBTITLES}[^,;]*?\b{_AMARA}"
_BY_ENGLISH = rf"{_ENGLISH}(?:\s(?:\w+|&)){{0,3}}?\sby\b.*"
_CREDIT = rf"(?:{_BY_SUBTITLER}|{_BY_AMARA}|{_BY_ENGLISH}|{_FILM}{_MORE}(?:\spor\s|\s?:\s){_NAMES})"
_END = r"\s*[.!?…]*"
_CREDIT_SENTENCE = re.compile(rf"{_CREDIT}(?:[,;]?\s{_CREDIT})*{_END}|{_ABROAD}\b.*")
_CREDIT_AFTER_SPEECH = re.compile(
    rf"(?:(?<=[,;:]\s)(?:{_BY_SUBTITLER})|(?<=\s)(?:{_BY_AMARA}|{_BY_ENGLISH})|(?<=\s)(?=[A-Z]){_CREDIT}){_END}$"
)
_CREDIT_BEFORE_SPEECH = re.compile(rf"{_BY_AMARA}[,:;-]?\s+")
_UNMARKED_CREDIT = re.compile(rf"\b(?i:subtitul(?:os|ado)){_MORE}\spor\s{_NAMES}{_END}$")
_BEGUN_CREDIT = re.compile(rf"{_BY_SUBTITLER}|{_BY_AMARA}")
_SENTENCE = re.compile(r"\S.*?(?:(?<!\b[A-Z])[.!?…]+[\"»”)]*(?=\s|$)|$)")

# --- Sentences of videos, matched in `fold(text)`. ---
_VIDEO = r"(?:video|videito|episodio|capitulo|programa|directo|vlog|stream|tutorial)s?"
_NEXT = r"(?:(?:el|la|un|los) (?:proximo|siguiente|nuevo)s?|otro)"
_AGAIN = r"(?:de nuevo |otra vez |una vez mas )?"
_FORGET = r"(?:no (?:te |se |os )?olvid\w+|record\w+|recuerd\w+|acord\w+|invit\w+)(?: de| a)?"
_LIKE = r"(?:a |al |un |tu |su |el |ese |buen |me )*like|(?:a |al |un |tu |su |el )+(?:me gusta|manito arriba|pulgar arriba)"
_VIDEO_SENTENCES = [
    re.compile(rf"\b(?:{pattern})\b")
    for pattern in (
        r"amara org|comunidade? (?:de )?amara",
        r"suscrib(?:ete|ite|ase|anse|ansen|ios)",
        rf"{_FORGET} suscrib(?:irte|irse|iros)",
        rf"(?:dale|dele|denle|delen|deja|dejen|dejame|dejanos|dejenme|regala\w*) (?:{_LIKE})",
        rf"{_FORGET} dar\w* (?:{_LIKE})",
        r"(?:deja|dejen|dejame|dejanos|dejenme) (?:tus?|sus?) comentarios?",
        r"activ\w+ las? campan(?:itas?|illas?|a de notificaciones)",
        rf"gracias por (?:ver|mirar|acompanar\w+ en) (?:el|los|est[eo]s?|mis?|nuestros?|otro|un) (?:nuevo )?(?:canal|{_VIDEO})(?! que\b)",
        r"gracias por (?:vernos|mirarnos|sintonizar\w*|suscrib\w+)",
        rf"(?:hasta|nos vemos en|(?:te|los) (?:veo|vemos|espera?mos|espero) en) {_NEXT} {_VIDEO}",
        rf"bienvenid\w+ {_AGAIN}a(?:l| mi| este| nuestro) canal|bienvenid\w+ {_AGAIN}a (?:un|otro) (?:nuevo )?{_VIDEO}",
        r"(?:siguenos|siganos|seguinos|sigueme) en (?:todas )?(?:mis |nuestras |las )?redes",
        r"(?:link|enlace)s? (?:esta |estan )?en la (?:caja de )?descripcion(?! del grupo)",
        rf"este {_VIDEO} (?:es|fue|esta|ha sido) (?:patrocinad|auspiciad)o",
        r"thank(?:s| you)(?: so| very)?(?: much| all| guys)? for (?:watching|viewing|listening|tuning in)",
        r"subscrib(?:e|ing)",
        r"see you(?: guys| all)?(?: in| at| on)?(?: the| my| our)? next (?:video|time|episode|one)",
    )
]


@dataclass(frozen=True)
class Cut:
    """A text without what nobody said, and the pieces that were cut out."""

    text: str
    pieces: tuple[str, ...]


def cut(text: str) -> Cut:
    """Cut annotations out of a text, and credits off its ends. Lyrics and a text of credits alone stay, for `invented`."""
    text, pieces = _without_annotations(unicodedata.normalize("NFC", text))
    start, end = _speech(text)
    around = [piece for piece in (text[:start].strip(), text[end:].strip()) if piece]
    return Cut(text[start:end].rstrip(" ,;:-–—") if around else text, (*pieces, *around))


def invented(text: str) -> str:
    """The first part of a text that nobody says in a voice note: lyrics, a credit, a sentence of a video. "" if there is none."""
    text = unicodedata.normalize("NFC", text)
    if lyrics := _lyrics(text):
        return lyrics
    for sentence in _SENTENCE.findall(without_accents(text)):
        if found := _CREDIT_SENTENCE.fullmatch(sentence) or _BEGUN_CREDIT.match(sentence) or _UNMARKED_CREDIT.search(sentence):
            return found[0]
    words = fold(text)
    return next((found[0] for pattern in _VIDEO_SENTENCES if (found := pattern.search(words))), "")


def _lyrics(text: str) -> str:
    """The first words after a musical note that do not just name music."""
    return next((found[0].strip() for found in _SUNG.finditer(text) if set(fold(found["words"]).split()) - _SOUND_WORDS), "")


def _without_annotations(text: str) -> tuple[str, list[str]]:
    """A text without annotations, and the annotations. Brackets may lie within brackets."""
    pieces: list[str] = []
    for pattern in (_BRACKETED, _BRACKETED, _SUNG, _TURN):
        if pattern is _SUNG and _lyrics(text):
            continue
        pieces += (found[0].strip() for found in pattern.finditer(text))
        text = " ".join(pattern.sub(" ", text).split())
    if pieces:
        text = re.sub(r"\s+(?=[.,;:!?…])", "", text)
        text = re.sub(r"^[.,;:…]+\s*", "", text)
    return text, pieces


def _speech(text: str) -> tuple[int, int]:
    """Where the speech of a text starts and ends between credits. The whole text, if it is credits alone."""
    bare = without_accents(text)
    sentences = [match.span() for match in _SENTENCE.finditer(bare)]
    while sentences and _CREDIT_SENTENCE.fullmatch(bare[slice(*sentences[-1])]):
        sentences.pop()
    while sentences and _CREDIT_SENTENCE.fullmatch(bare[slice(*sentences[0])]):
        sentences.pop(0)
    if not sentences:
        return 0, len(text)
    start, end = sentences[0][0], sentences[-1][1]
    if before := _CREDIT_BEFORE_SPEECH.match(bare[start:end]):
        start += before.end()
    last = max(start, sentences[-1][0])
    if after := _CREDIT_AFTER_SPEECH.search(bare[last:end]):
        end = last + after.start()
    return (start, end) if fold(bare[start:end]) else (0, len(text))
