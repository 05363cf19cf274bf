"""Web and mail addresses, files, @names, #tags, network addresses and versions: "punto", "arroba", "barra"."""

import re

from voz.text import numerals
from voz.text.reader import acronym
from voz.text.reader.rule import LETTER, Rule, rule

_SIGNS = {
    ".": "punto",
    "@": "arroba",
    "/": "barra",
    "_": "guion bajo",
    "-": "guion",
    ":": "dos puntos",
    "?": "signo de pregunta",
    "=": "igual a",
    "&": "y",
    "#": "numeral",
    "%": "por ciento",
    "+": "más",
}
_ENDINGS = "com|net|org|gob|gov|edu|info|app|io|tv|ai|dev|ar|uy|cl|br|mx|co|ly"
_FILES = "pdf|jpe?g|png|gif|mp[34]|docx?|xlsx?|pptx?|zip|rar|txt|csv|html?|py|js|exe|apk|opus|ogg|wav|m4a|avi|mov"
_MARK = re.compile(r"[^.]\.\w|[@:/]")
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}", re.IGNORECASE)
_DOMAIN = rf"(?:[\w-]{{1,63}}\.){{1,6}}(?:{_ENDINGS})(?:\.[a-z]{{2}})?"
_WEB = re.compile(
    rf"(?:https?://)(?P<any>[\w-].{{0,2000}})|(?P<www>www\.[\w-].{{0,2000}})|(?P<bare>{_DOMAIN}(?::\d+)?(?:/.{{0,2000}})?)", re.IGNORECASE
)
_FILE = re.compile(rf"[^\W_][\w-]{{0,80}}\.(?:{_FILES})", re.IGNORECASE)
_DOTTED = re.compile(r"(?P<v>v(?:er)?\.?)?(?P<numbers>\d{1,5}(?:\.\d{1,5}){1,4})", re.IGNORECASE)
_DATE = re.compile(r"(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.(?:\d{4}|\d{2})")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")


def _read(match: re.Match[str]) -> str:
    if not _MARK.search(match[0]):
        return match[0]
    token = match[0].rstrip(".,:;!?")
    end = match[0][len(token) :]
    if len(token) < 3 or len(token) > 2100:
        return match[0]
    web = _WEB.fullmatch(token) if "." in token or "://" in token else None
    if web:
        return f" {_spelled((web['any'] or web['www'] or web['bare']).rstrip('/'))}{end}"
    if _MAIL.fullmatch(token) or _FILE.fullmatch(token):
        return f" {_spelled(token)}{end}"
    dotted = _DOTTED.fullmatch(token)
    if dotted and _is_version(dotted):
        numbers = " punto ".join(numerals.number(part) for part in dotted["numbers"].split("."))
        return ("versión " if dotted["v"] else "") + numbers + end
    return match[0]


def _is_version(dotted: re.Match[str]) -> bool:
    numbers = dotted["numbers"]
    if dotted["v"]:
        return True
    return numbers.count(".") > 1 and not _DATE.fullmatch(numbers) and not _THOUSANDS.fullmatch(numbers)


def _spelled(address: str) -> str:
    """Words, numbers and signs of an address. What has no vowel is spelled."""
    parts = []
    for part in re.findall(r"[^\W\d_]+|\d+|[^\w\s]|_", address):
        if part.isdecimal():
            parts.append(numerals.cardinal(part) if len(part) < 8 else numerals.digits(part))
        elif part.isalpha():
            parts.append("tres doble ve" if part.lower() == "www" else _word(part))
        else:
            parts.append(_SIGNS.get(part, ""))
    return " ".join(part for part in parts if part)


def _word(part: str) -> str:
    if len(part) == 1:
        return acronym.spell(part)
    return acronym.spell(part) if acronym.is_spelled(part.upper()) and not re.search("[aeiouáéíóú]", part.lower()) else part


def _alias(match: re.Match[str]) -> str:
    return match[0] if _is_address(match["alias"]) else f"{match['label']}{_spelled(match['alias'])}"


def _is_address(text: str) -> bool:
    return bool(_WEB.fullmatch(text) or _FILE.fullmatch(text))


def _tag(match: re.Match[str]) -> str:
    """A tag: words that begin with capitals are read one by one."""
    return " hashtag " + re.sub(r"(?<=[a-zñáéíóú])(?=[A-ZÑÁÉÍÓÚ])", " ", match[1]).replace("_", " ")


_ALIAS = r"[a-z\d]{2,20}(?:[.-][a-z\d]{1,20})"  # of a bank account: words with dots between
RULES: tuple[Rule, ...] = (
    rule(rf"(?P<label>\balias\b(?: {LETTER}{{1,12}}){{0,3}}:? )(?P<alias>{_ALIAS}{{1,4}})(?![\w@]|\.\w)", _alias),
    rule(r"[^\s()<>\"',;¿¡\[\]]++", _read),  # each run of other characters: it begins once, so that a search stays linear
    rule(r"(?<![\w#@*.])[^\W_]+(?:_[^\W_]+)+(?![\w*.@])", lambda match: _spelled(match[0])),  # the name of a user
    rule(r"(?<!\w)#(?=[^\W\d_])(\w+)", _tag),
    rule(r"(?<!\w)@(?=\w)([\w.]*\w)", lambda match: f" arroba {_spelled(match[1])}"),
    rule(r"(?<!\w)v(\d{1,3})(?![\w.])", lambda match: f"versión {numerals.number(match[1])}", case=True),
)
