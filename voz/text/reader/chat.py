"""Short forms of chats: q, xq, tmb, dsp, xfa, tkm, x favor."""

import re

from voz.text.reader.rule import LETTER, Rule, rule, table

_FORMS = table(
    """
    tmb, tb, tbn, tmbn, tamb, tmbien = también
    dsp, dps, desp, dsps, dspues = después
    xfa, pfa, xfis, xfavor, pf, plis, pls, plz = por favor
    tkm, tqm = te quiero mucho
    tkmm, tqmm = te quiero muchísimo
    tk, tq = te quiero
    bn = bien
    mñn, mñna = mañana
    msj, mje, msje = mensaje
    msjs, mjes, msjes = mensajes
    cdo, cndo, qdo = cuando
    dnd, dde = donde
    kien, qn, qien = quien
    ntp = no te preocupes
    salu2 = saludos
    bss, bsos = besos
    grax, grac, gcias, grcs = gracias
    fds = fin de semana
    wsp, wpp, wapp, wasap = guasap
    ig = Instagram
    fb = Facebook
    tdo, td = todo
    tds, tdos = todos
    tda = toda
    nd = nada
    vdd = verdad
    nv = nos vemos
    aki = aquí
    muxo = mucho
    cmo = cómo
    vms = vamos
    dle = dale
    porq, xk = porque
    qsy = qué sé yo
    hdp = hijo de puta
    lpm = la puta madre
    d = de
    t = te
    ns, nse = no sé
    bno, bueh = bueno
    kiero = quiero
    kiere = quiere
    flia = familia
    flias = familias
    bldo = boludo
    blda = boluda
    efvo, efect = efectivo
    transf, transfe = transferencia
    temp = temperatura
    """
)
_ALSO_IN_CAPITALS = frozenset("tmb dsp xfa tkm tqm bn msj xfavor ig fb".split())  # the others are acronyms in capitals
_QUESTION = frozenset("hacés haces hacen hacemos hago onda tal pasa pasó querés querías decís lindo linda bueno buena hora día".split())
_BEGIN = r"(?<![\w.'/$-])(?<!\d )"
_NOT_BY = r"(?<!rayos )(?<!eje )(?<!punto )(?<!letra )(?<!valor )(?<!generación )(?<!cromosoma )"


def _form(match: re.Match[str]) -> str:
    word = match[0]
    said = _FORMS.get(word.lower())
    if said is None or (word.isupper() and word.lower() not in _ALSO_IN_CAPITALS):
        return word
    return said[0].upper() + said[1:] if word.istitle() and len(word) > 1 else said


def _starts(match: re.Match[str]) -> bool:
    """Whether a match begins a sentence or a question."""
    before = match.string[max(0, match.start() - 2) : match.start()].rstrip()
    return not before or before[-1] in ".!?¡¿:;("


def _is_asked(match: re.Match[str]) -> bool:
    """Whether a verb of knowing stands before a match."""
    before = match.string[max(0, match.start() - 10) : match.start()]
    return re.search(r"\b(?:sé|sab[eé]s?|saber|decime|entiendo)\s\Z", before, re.IGNORECASE) is not None


def _que(match: re.Match[str]) -> str:
    """q: "qué" where it asks or exclaims, else "que"."""
    word = "qué" if _starts(match) or _is_asked(match) or match["next"].lower() in _QUESTION else "que"
    return word.capitalize() if match["q"].isupper() and _starts(match) else word


def _why(match: re.Match[str]) -> str:
    """xq: "por qué" where it begins a sentence or follows a verb of knowing, else "porque"."""
    word = "por qué" if _starts(match) or _is_asked(match) else "porque"
    return word.capitalize() if match[0].istitle() else word


RULES: tuple[Rule, ...] = (
    rule(rf"{_BEGIN}(?P<q>q|k)(?= (?P<next>{LETTER}+))", _que),
    rule(rf"{_BEGIN}q(?=\?)", "qué"),
    rule(rf"{_BEGIN}{_NOT_BY}m(?= {LETTER}{{3}})", "me", case=True),
    rule(rf"{_BEGIN}[xp]q(?![\w'-])", _why),
    rule(rf"{_BEGIN}{_NOT_BY}x(?= {LETTER}{{2}})", "por", case=True),
    rule(r"(?<![\w+])\+ o -(?!\w)", "más o menos"),
    rule(r"(\bn[oO]s )vms\b", r"\1vemos"),
    rule(rf"{_BEGIN}(?:{LETTER}{{1,6}}|salu2)(?![\w'/-])", _form),
)
