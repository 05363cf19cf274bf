"""Grammatical gender of Spanish nouns by their ending, for what agrees with them: "doscientas personas", "la tercera fila"."""

import re

FUNCTION_WORDS = frozenset(  # a number does not agree with these when they follow it
    """
    a al ante bajo bis como con contra cuando cuál de del desde donde e el él ella ellas ellos en entre era eran eras es esa ese eso
    esta está estaba estaban están estas fue fueron ha había hace hacia han hasta hay la las le les lo los más me menos mi
    ni no nos o otra para pero por porque que quedan quedaba qué sale salía salieron se segunda según sea ser será si sin sobre son
    su sus también te tenga tenía tiene tu tuya u un una unas va van vos y ya yo barra coma punto igual
    cada pasa pasaba tanta mucha ahora nada afuera arriba abajo adentro adelante atrás fuera cerca
    """.split()
)
_MASCULINE = frozenset(  # look feminine to _FEMININE
    """
    día mapa problema programa tema sistema idioma clima planeta poeta dálmata colega policía papá drama esquema poema síntoma trauma
    diploma panorama fantasma tranvía pijama gorila cometa lema emblema teorema axioma dilema diagrama telegrama kilograma crucigrama
    aroma plasma carisma enigma estigma paradigma dogma cura guarda camarada atleta patriota pirata jesuita delta gama omega mediodía
    futbolista turista artista periodista dentista electricista taxista hincha sofá paraguas cumpleaños lavarropas saltamontes
    mega giga tera
    gas mes país compás atlas as ananás  contra juez pez ajedrez
    """.split()
)
_FEMININE_WORDS = frozenset(
    """
    vez veces noche calle clase parte luz luces mujer flor red sal piel leche tarde gente mente llave nave nieve suerte muerte fuente
    serie base frase fase imagen imágenes orden órdenes mano foto moto sede torre nube sangre carne cárcel señal catedral capital voz
    voces cruz cruces actriz actrices nariz paz raíz raíces crisis tesis dosis hambre edad labor ley leyes mitad sien tos miel
    superficie especie costumbre cumbre dirección bici tele peli seño radio madre corriente
    """.split()
)
_FEMININE = re.compile(r"(?:as?|ci[oó]n(?:es)?|si[oó]n(?:es)?|[dt]ad(?:es)?|tud(?:es)?|umbres?|itis)\Z")


def is_feminine(noun: str) -> bool:
    """Whether a noun is feminine, in singular or plural. A guess by its ending where no list knows it."""
    noun = noun.lower()
    forms = {noun, noun.removesuffix("s"), noun.removesuffix("es")}
    if forms & _MASCULINE:
        return False
    return bool(forms & _FEMININE_WORDS) or _FEMININE.search(noun) is not None
