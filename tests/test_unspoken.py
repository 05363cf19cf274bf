"""What Whisper writes and nobody says: cut off real speech, or recognised where it cannot be cut off. Real speech stays."""

import pytest

from voz.text import unspoken

CUT = [  # a text, what is left of it, what was cut off
    ("(ríe) Ay, no, me muero.", "Ay, no, me muero.", ["(ríe)"]),
    ("[Aplausos] Bueno, empezamos. [Música de fondo]", "Bueno, empezamos.", ["[Aplausos]", "[Música de fondo]"]),
    ("*tose* Perdón, ¿qué decías?", "Perdón, ¿qué decías?", ["*tose*"]),
    ("Esperá (suena el timbre) que abro.", "Esperá que abro.", ["(suena el timbre)"]),
    ("Ya llegué ((inaudible)), avisale.", "Ya llegué, avisale.", ["(inaudible)", "( )"]),
    ("Bueno, dale [Música", "Bueno, dale", ["[Música"]),
    ("♪ Música ♪ Hola, che, ¿cómo va?", "Hola, che, ¿cómo va?", ["♪ Música ♪"]),
    ("Nos vemos a la noche ♪", "Nos vemos a la noche", ["♪"]),
    ("- ¿Venís? - Sí, ya salgo.", "¿Venís? Sí, ya salgo.", ["-", "-"]),
    ("<i>Te llamo luego.</i>", "Te llamo luego.", ["<i>", "</i>"]),
    ("[Aplausos]", "", ["[Aplausos]"]),
    ("Ya salí. Subtítulos por la comunidad de Amara.org", "Ya salí.", ["Subtítulos por la comunidad de Amara.org"]),
    ("Ya salí, subtítulos creados por la comunidad de amara.org.", "Ya salí", ["subtítulos creados por la comunidad de amara.org."]),
    ("Ya salí Subtitulado por Marta Ruiz", "Ya salí", ["Subtitulado por Marta Ruiz"]),
    ("Subtitulado y sincronizado por Juan P. Gómez. Bueno, ya salí.", "Bueno, ya salí.", ["Subtitulado y sincronizado por Juan P. Gómez."]),
    ("Subtítulos de la comunidad de Amara.org Bueno, ya salí.", "Bueno, ya salí.", ["Subtítulos de la comunidad de Amara.org"]),
    ("Ya salí. Guion: Eva Sanz. Traducción: Ana y Luis Paz", "Ya salí.", ["Guion: Eva Sanz. Traducción: Ana y Luis Paz"]),
    ("Ya salí. Subtitles by the Amara.org community", "Ya salí.", ["Subtitles by the Amara.org community"]),
    ("Ya salí. Transcribed by https://otter.ai", "Ya salí.", ["Transcribed by https://otter.ai"]),
]  # fmt: skip
INVENTED = """
Subtitulado por Marta Ruiz
Transcripción por GoTranscript
Más subtítulos en www.opensubtitles.org
Traducción: Ana López. Edición: Juan Paz
Subtitles by DramaFever
Sottotitoli creati dalla comunità Amara.org
Untertitel im Auftrag des ZDF, 2020
Ya salí. Subtítulos por Ana Paz. Después te llamo y vemos.
ya salí de casa subtitulado por Marta Ruiz
♪ quiero volver a verte ♪
Bueno, te dejo. ♪ No te vayas nunca más ♪
Suscribite al canal.
¡Suscríbanse y activen la campanita!
Che, no te olvides de suscribirte.
Dale like, amigo.
No olviden darle like a este video.
Muchas gracias por ver este video.
Gracias por vernos, hasta la semana que viene.
Nos vemos en el próximo video.
Hasta el próximo capítulo.
Bienvenidos a un nuevo episodio.
Thanks for watching!
Please subscribe to my channel.
See you in the next video, guys.
""".strip().splitlines()
SAID = """
Muchas gracias, nos vemos mañana.
Gracias por escucharme, hasta la próxima.
Gracias por ver el video que te mandé del nene.
Tengo que suscribirme al gimnasio antes del lunes.
Hay que suscribirse para ver el partido.
Le di like a tu foto y me contestó.
Activá las notificaciones del grupo.
Nos vemos en la próxima clase.
El mesías los amará a todos.
La vi con subtítulos porque estaba en inglés.
Estaba subtitulada por suerte.
Hice la transcripción por Zoom con Ana.
El editor dice que la traducción de Ana quedó bárbara.
Es una serie buenísima, producida por Netflix.
Dale, me gusta la idea, like no le puse.
¿Vemos el próximo capítulo juntos?
Espero el próximo video del nene.
Traducime esto por WhatsApp.
Sincronizalo por Bluetooth.
Llamame al (011) 4567 8900.
Marcá * para volver o * para salir.
Hace -5 grados acá, un frío.
No, no, no, escuchame una cosa.
""".strip().splitlines()


@pytest.mark.parametrize(("text", "left", "pieces"), CUT)
def test_annotations_and_credits_are_cut_off_and_kept_apart(text: str, left: str, pieces: list[str]) -> None:
    assert unspoken.cut(text) == unspoken.Cut(left, tuple(pieces))
    assert not unspoken.invented(left)
    assert unspoken.cut(left) == unspoken.Cut(left, ())


@pytest.mark.parametrize("text", INVENTED)
def test_what_nobody_says_and_cannot_be_cut_off_is_recognised(text: str) -> None:
    assert unspoken.cut(text) == unspoken.Cut(text, ())
    assert unspoken.invented(text)


@pytest.mark.parametrize("text", SAID)
def test_what_people_say_stays(text: str) -> None:
    assert unspoken.cut(text) == unspoken.Cut(text, ())
    assert not unspoken.invented(text)
