"""Abbreviations: Dr., Av., art. 5, Nº 3, c/u, s/n, él/ella, EE.UU."""

import re

from voz.text.reader import measure
from voz.text.reader.rule import LETTER, Rule, rule, table

# Before a name or a number: their dot ends no sentence, except at the end of the text.
_BEFORE_NAMES = table(
    """
    dr = doctor
    dra = doctora
    dres = doctores
    dras = doctoras
    sr = señor
    sra = señora
    srta = señorita
    sres = señores
    sras = señoras
    av, avda, avd = avenida
    avs, avdas = avenidas
    bv, bvar, bvard, blvd, blv, boul = bulevar
    pje, psje, pasj = pasaje
    diag = diagonal
    cno = camino
    prof = profesor
    profa = profesora
    ing = ingeniero
    lic = licenciado
    licda = licenciada
    arq = arquitecto
    abog = abogado
    cdor, ctdor = contador
    cra = contadora
    esc = escribano
    mtro = maestro
    gral = general
    grales = generales
    cnel = coronel
    tte = teniente
    sgto = sargento
    cbo = cabo
    alte = almirante
    brig = brigadier
    cdte, cmte, comte = comandante
    cptán = capitán
    pte, pdte, pres = presidente
    pdta = presidenta
    dña = doña
    gob = gobernador
    pto = puerto
    gdor = gobernador
    intend = intendente
    dip = diputado
    sen = senador
    mons = monseñor
    pbro = presbítero
    hno = hermano
    hna = hermana
    hnos = hermanos
    sto = santo
    sta = santa
    fco = Francisco
    gmo = Guillermo
    ntra = nuestra
    pág, pag = página
    págs, pags = páginas
    art = artículo
    arts = artículos
    inc = inciso
    incs = incisos
    cap = capítulo
    caps = capítulos
    párr = párrafo
    nro, núm, num = número
    nros, núms, nrs = números
    dpto, depto = departamento
    dptos, deptos = departamentos
    expte, exped = expediente
    exptes = expedientes
    resol = resolución
    tel, teléf, telef = teléfono
    tels = teléfonos
    cel = celular
    vol = volumen
    fig = figura
    cód, cod = código
    pcia = provincia
    loc = localidad
    mza, mzna = manzana
    edif = edificio
    esq = esquina
    sec = sección
    col = colonia
    univ = universidad
    fac = facultad
    inst = instituto
    hosp = hospital
    vs, vrs = versus
    suc = sucursal
    leg = legajo
    matr = matrícula
    mod = modelo
    bdo = Bernardo
    vte = Vicente
    """
)
# Their dot also ends the sentence before a capital.
_FREE = table(
    """
    etc = etcétera
    aprox = aproximadamente
    ud, vd = usted
    uds, vds = ustedes
    cía, co = compañía
    nac = nacional
    fed = federal
    prov = provincia
    máx = máximo
    mín = mínimo
    prom = promedio
    cant = cantidad
    desc, dto = descuento
    ptos = puntos
    vto, venc = vencimiento
    admin, adm = administración
    obs = observación
    ref = referencia
    ss = siguientes
    sgtes = siguientes
    sgte = siguiente
    sig = siguiente
    pdo = partido
    pers = personas
    cub = cubiertos
    hab = habitantes
    tít = título
    urg = urgente
    izq = izquierda
    der = derecha
    lun = lunes
    mié, mier = miércoles
    jue = jueves
    vie = viernes
    sáb = sábado
    jr = junior
    ltd, ltda = limitada
    gtos = gastos
    cta = cuenta
    ctas = cuentas
    cte = corriente
    fact = factura
    mens = mensual
    """
)
_WORDS_TOO = frozenset(  # words of their own: an abbreviation only before a capital or a number
    "col sen inst fig vol sec gob adm co der sig prom num cap caps inc art esc ref pag leg fac suc cra pto pers dip fed mod".split()
)
_LONGER = (  # of several parts, or with capitals of their own
    (r"\bbs\.? ?as\b\.?", "Buenos Aires"),
    (r"\bee\.? ?uu\b\.?", "Estados Unidos"),
    (r"\betc(?=\.\.\.)", "etcétera"),
    (r"\bdd\.? ?hh\b\.?", "derechos humanos"),
    (r"\brr\.? ?hh\b\.?", "recursos humanos"),
    (r"\bff\.? ?aa\b\.?", "fuerzas armadas"),
    (r"\bjj\.? ?oo\b\.?", "Juegos Olímpicos"),
    (r"\bcap\. ?fed\b\.?", "Capital Federal"),
    (r"\bc\.a\.b\.a\b\.?", "CABA"),
    (r"\bp\. ?ej\b\.?", "por ejemplo"),
    (r"(?<!\w)a\. ?c\.", "antes de Cristo"),
    (r"(?<!\w)d\. ?c\.", "después de Cristo"),
    (r"\bp\. ?d\.:?|(?<!\w)(?-i:PD):", "posdata:"),
    (r"\bq\. ?e\. ?p\. ?d\.", "que en paz descanse"),
    (r"\bp\. ?b\.|(?<!\w)(?-i:PB)(?!\w)", "planta baja"),
    (r"(?<!\w)(?<!\d )a\. ?m\.", "de la mañana"),
    (r"(?<!\w)(?<!\d )p\. ?m\.", "de la tarde"),
    (r"\bma\. (?=[A-Z])", "María "),
    (r"\bb[°º] ", "barrio "),
    (r"\bc\.?p\.? ?(?=\d{4})", "código postal "),
    (r"(?-i:\bRN) ?(?=\d)", "ruta nacional "),
    (r"(?-i:\bRP) ?(?=\d)", "ruta provincial "),
    (r"(?<![\w/])c/ ?(?=\d+ (?:cd|cuch|taza|huevo|cuota|amb|dorm|baño|cochera))", "con "),
    (r"(?<![\w/])c/ ?(?=\d)", "cada "),
    (r"(?<![\w/])e/ ?(?=\d)", "entre "),
    (r"(?<![\w/])p/ ?(?=\d)", "para "),
    (r"(?<![\w/])h/ ?(?=\d)", "hasta "),
    (r"\bm[aá]x\b\.? ?(?=-?\d[\d,.]* ?[°º])", "máxima "),
    (r"\bm[ií]n\b\.? ?(?=-?\d[\d,.]* ?[°º])", "mínima "),
    (r"\bej(?=:)", "ejemplo"),
    (r"\bint\b\.? ?(?=\d)", "interno "),
    (r"\bexp\b\.? ?(?=n?[º°]? ?\d|nro)", "expediente "),
    (r"(?<!\w)\+ ?exp\b\.?", "más expensas"),
    (r"(?:(?<=\blas )|(?<=\bsin )|(?<=\bmás )|(?<=\bde )|(?<=\bpagué ))exp\b\.?(?! ?(?-i:[A-Z]))", "expensas"),
    (r"(?<![\w/])s/ ?(?=(?:ruta|avenida|avda|av|calle)\b)", "sobre "),
    (r"\b(?:s/ ?|sin )int\b\.?", "sin interés"),
    (r"(?<=ª )temp\b\.?|(?<=segunda )temp\b\.?|(?<=\dda )temp\b\.?|(?<=\dra )temp\b\.?", "temporada"),
    (r"\btemp\.(?! ?[A-Z])", "temperatura"),
    (r"(?<=\d )p\. ?p\.", "puntos porcentuales"),
    (r"(?-i:\bM\.?N\.?) ?(?=\d{4,6}\b)", "matrícula nacional "),
    (r"(?-i:\bM\.P\.) ?(?=\d{4,6}\b)", "matrícula provincial "),
    (r"(?<=pilas )(?-i:AAA)\b", "triple a"),
    (r"(?<=pilas )(?-i:AA)\b", "doble a"),
    (r"\blun(?:es)? a (?:vie|vier|viernes)\b\.?", "lunes a viernes"),
    (r"\bs[aá]b\.? y dom\b\.?", "sábado y domingo"),
    (r"\blun(?:es)? a s[aá]b\b\.?", "lunes a sábado"),
    (r"\blun(?:es)? a dom\b\.?", "lunes a domingo"),
)
_BARS = {  # single letters before a bar: c/u, s/n, p/llevar
    "c/u": "cada uno",
    "s/n": "sin número",
    "c/n": "cantidad necesaria",
    "s/d": "sin datos",
    "s/e": "sin especificar",
    "y/o": "y o",
    "e/o": "y o",
    "a/c": "a cuenta",
    "a/a": "aire acondicionado",
    "n/a": "no aplica",
    "c/c": "cuenta corriente",
    "k/h": "kilómetros por hora",
    "r/p": "respuesta",
    "d/c": "después de Cristo",
    "f/v": "fecha de vencimiento",
}
_PREPOSITIONS = {"c": "con", "s": "sin", "p": "para", "d": "de", "e": "entre", "h": "hasta", "x": "por", "b": "bajo", "n": "nuestro"}
_SENTENCE = re.compile(r"\s+[A-ZÁÉÍÓÚÑ¿¡]")


def _expand(match: re.Match[str]) -> str:
    """The full word, with a dot if the abbreviation's dot also ended the sentence."""
    short = match["short"].lower()
    full = _BEFORE_NAMES.get(short) or _FREE.get(short)
    rest = match.string[match.end() : match.end() + 3]
    at_end = not rest.strip()
    if full is None or (short in _WORDS_TOO and not re.match(r" ?(?:[A-ZÁÉÍÓÚÑ\d]|[a-z]\b)", rest)):
        return match[0]
    ends = at_end or (short in _FREE and _SENTENCE.match(rest) is not None)
    space = "" if ends or not rest[:1].isalnum() else " "
    return _cased(match["short"], full) + ("." if ends else space)


def _cased(short: str, full: str) -> str:
    return full[0].upper() + full[1:] if short[0].isupper() and (len(short) > 1 or not short.isupper()) else full


def _undotted(match: re.Match[str]) -> str:
    """Before a name or a number people leave the dot out: Dr Pérez, Nro 8, art 14."""
    short = match["short"].lower()
    return _cased(match["short"], _BEFORE_NAMES.get(short) or _FREE[short])


def _longer(pattern: str, said: str) -> Rule:
    """A rule for an abbreviation with several dots, of which the last may end the sentence."""

    def read(match: re.Match[str]) -> str:
        ends = match[0].endswith(".") and match.end() == len(match.string)
        return said + ("." if ends else "")

    return rule(pattern, read)


def _bar(match: re.Match[str]) -> str:
    """c/u and the like by the list, else the preposition: s/ cargo, p/llevar."""
    whole = _BARS.get(match[0].lower().replace(" ", ""))
    if whole:
        return whole
    rest = match["rest"]
    said = _PREPOSITIONS.get(match["letter"].lower())
    return match[0] if said is None or len(rest) == 1 else f"{said} {rest}"


def _or(match: re.Match[str]) -> str:
    """Alternatives: él/ella, chicos/as."""
    first, second = match["first"], match["second"]
    if measure.names(second) and measure.names(first):
        return match[0]
    if second.lower() in ("a", "as") and re.search(r"(?:[oe]s?|r(?:es)?|n|l)\Z", first.lower()):
        return f"{first} o {re.sub(r'(?:[oe]s?|(?<=r)es)$', '', first)}{second}"
    if min(len(first), len(second)) < 2:
        return match[0]
    joint = "u" if re.match(r"h?[oó]", second.lower()) else "o"
    return f"{first} {joint} {second}"


_UNDOTTED = "|".join(sorted((short for short in _BEFORE_NAMES if len(short) > 1), key=len, reverse=True))
_ALWAYS = "cel|hnos?|hnas?|nros?|dptos?|deptos?|tels?|exptes?|avda|srta|gral|cnel|sgto|vs|pcia|núm|etc|aprox|uds?|esq"
RULES: tuple[Rule, ...] = (
    *(_longer(pattern, said) for pattern, said in _LONGER),
    rule(r"\bn(ros)?[°º]\.? ?(?=[\d\w])", lambda m: "números " if m[1] else "número "),
    rule(r"(?<![\w.])n(?:ro)?\.? ?[°º]?:? ?(?=\d)", "número "),
    rule(r"(?<![\w/])#(?= ?\d)", "número "),
    rule(rf"(?<![\w.@/])(?P<short>{LETTER}{{1,6}})\.(?!\.)", _expand),
    rule(rf"(?<![\w.'-])(?P<short>{_UNDOTTED})(?= (?-i:[A-ZÁÉÍÓÚÑ\d]))(?!\w)", _undotted),
    rule(rf"(?<![\w.'-])(?P<short>{_ALWAYS})(?![\w'-])", _undotted),
    rule(rf"(?<![\w/])(?P<letter>[a-z])/ ?(?P<rest>{LETTER}+)(?![\w/])", _bar),
    rule(rf"(?<![\w/])(?P<first>{LETTER}+)/(?P<second>{LETTER}+)(?![\w/])", _or),
)
