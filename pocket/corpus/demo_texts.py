"""What the demo speaker says to friends, note by note, sentence by sentence. Written by hand; none of it is in the corpus."""

LONG_NOTE = 7  # the one of about 40 s
SHORT_NOTE = 15  # the one of about 1 s
OTHER_SPEAKER_NOTE = 23  # by another speaker
CUT_NOTE = 31  # its file is truncated

NOTES: list[list[str]] = [
    [
        "Che, Guillermo, ¿cómo andás?",
        "Ayer te llamé dos veces y no contestaste.",
        "Yo ya estoy en lo de mi vieja, así que llamame cuando puedas.",
        "Un abrazo para todos.",
    ],
    [
        "Bueno, mirá, te cuento rápido.",
        "Llegué tarde al laburo porque se largó una lluvia terrible en Caballito.",
        "El jefe ni se dio cuenta, por suerte.",
    ],
    [
        "¿Vos tenés la llave de la terraza?",
        "Yo busqué en todos los bolsillos y no la encuentro.",
        "Si la tenés vos, dejala abajo de la maceta amarilla.",
    ],
    [
        "No sabés el quilombo que hay en la calle.",
        "Cortaron Callao y el colectivo no pasa.",
        "Voy a caminar hasta la estación, llego en veinte minutos.",
        "Esperame con unos mates.",
    ],
    [
        "Hola, Yanina, soy yo.",
        "Mañana vamos a la playa con los pibes.",
        "Si querés venir, salimos a las siete de la mañana.",
        "Traé la yerba y una toalla, que yo llevo las sillas.",
    ],
    [
        "Boludo, ¿viste el partido de ayer?",
        "Ellos no patearon al arco en toda la noche.",
        "Y nosotros con diez jugadores ganamos igual.",
        "Yo me quedé sin voz, te juro.",
    ],
    ["Che, ¿a qué hora es el ensayo?", "Yo puedo llegar recién a las nueve.", "Si ya empezaron, no me esperen, yo me sumo después."],
    [
        "Bueno, te hago un resumen largo porque estuviste desaparecido.",
        "El sábado hicimos un asado en lo de Santiago y vinieron todos.",
        "Yamila trajo el pollo, Goyo llevó las botellas y yo me ocupé del fuego.",
        "A mitad de la noche empezó a llover y tuvimos que entrar las sillas.",
        "Después se cortó la luz y buscamos velas por toda la casa.",
        "El hermano de Camila se cayó en el pasillo, pero no le pasó nada.",
        "Nos reímos como locos hasta las cuatro de la mañana.",
        "Yo volví caminando por la orilla del arroyo con las zapatillas llenas de barro.",
        "La próxima vez vos venís sí o sí.",
    ],
    ["Te aviso que ya pagué el alquiler.", "Me salió un poco más caro que el mes pasado.", "Después te muestro el detalle y arreglamos."],
    [
        "Mi abuela hizo milanesas con puré.",
        "Vos sabés que yo no puedo decir que no.",
        "Me comí cuatro y ahora no me puedo ni mover de la silla.",
    ],
    [
        "¿Te acordás de la piba de la farmacia?",
        "Se llama Estrella y vive en Villa Crespo.",
        "Hoy me la crucé en el subte y nos quedamos hablando de vos.",
    ],
    [
        "Escuchame, ¿vos podés pasar por el súper?",
        "Falta yogur, manteca, cebolla y un repollo.",
        "Ah, y comprá hielo, que hoy viene el rey de los sedientos.",
    ],
    ["La verdad, estoy muy cansado.", "Ayer laburé hasta las once y hoy arranqué de nuevo a las ocho.", "Necesito unas vacaciones ya."],
    [
        "Che, se rompió la heladera otra vez.",
        "El técnico dice que el repuesto llega en mayo.",
        "Mientras tanto guardamos todo en lo de la vecina, que es una maravilla.",
    ],
    ["Dale, nos vemos el jueves en la esquina de siempre.", "Llevá la guitarra, que yo llevo el cajón.", "Ojalá no llueva."],
    ["Ya llegué."],
    [
        "Te mando la receta de la tortilla.",
        "Cortás tres papas y una cebolla, las cocinás despacio y después ponés seis huevos.",
        "Dejala a fuego bajo, con la olla tapada.",
        "El secreto es no apurarse.",
    ],
    [
        "Ella me dijo que no iba, pero al final apareció con una torta.",
        "Yo no entendía nada.",
        "Era una sorpresa para Yésica, y nosotros éramos los únicos que no sabíamos.",
    ],
    [
        "Hoy a la mañana llevé el auto al taller.",
        "El tipo me dijo que son cien mil pesos, y yo casi me desmayo.",
        "¿Vos conocés a alguien que cobre menos?",
    ],
    [
        "Vení a casa el domingo.",
        "Hacemos ravioles y miramos la final.",
        "Mi yerno trae el vino y vos traé el postre, algo de vainilla o de frutilla.",
    ],
    ["Me olvidé el cargador en tu casa, arriba de la mesita.", "Si podés, traémelo mañana al laburo.", "Ya tengo la pantalla en rojo."],
    [
        "Posta que no lo puedo creer.",
        "Vendieron el galpón de la calle Yatay.",
        "Ahí aprendimos a andar en bicicleta, ¿te acordás?",
        "Ahora van a construir un edificio enorme.",
    ],
    ["Che, el perro se escapó otra vez.", "Lo encontré en la plaza, jugando con un caballo de la policía.", "No me hagas hablar."],
    [
        "Hola, habla Silvia, la mamá de Guillermo.",
        "Te llamo porque él se dejó el teléfono acá en casa.",
        "Cuando llegue le digo que te conteste, querido.",
        "Un beso grande para tu familia.",
    ],
    [
        "Estoy haciendo la fila del banco y hay cincuenta personas adelante.",
        "El cajero automático no anda.",
        "Yo creo que salgo de acá el año que viene.",
    ],
    [
        "¿Qué hacés, querido?",
        "Te quería preguntar si mañana laburás.",
        "Necesito ayuda para llevar un sillón hasta el tercer piso, y el ascensor no funciona.",
        "Después te invito unas empanadas.",
    ],
    [
        "El médico me dijo que tengo que caminar más y comer menos sal.",
        "O sea, chau salame, chau aceitunas.",
        "Yo le dije que sí a todo y me fui derecho a la panadería.",
    ],
    ["Ayer a la noche soñé con el viejo.", "Estábamos en el arroyo, pescando, y él se reía.", "Me desperté muy contento."],
    [
        "Bueno, ya averigüé lo del viaje.",
        "El micro a Bariloche sale a las diez de la noche y llega al otro día.",
        "Hay que llevar abrigo, porque allá hace un frío bárbaro.",
    ],
    [
        "No, pará, yo no dije eso.",
        "Dije que vos tenías razón, pero que lo podías decir de otra manera.",
        "Ella se fue llorando, pobre.",
        "Llamala y pedile disculpas.",
    ],
    [
        "Se viene el cumpleaños de la abuela.",
        "Cumple ochenta y tres, así que hay que hacer algo lindo.",
        "Yo pensé en un almuerzo sencillo, con toda la familia.",
        "¿Qué te parece?",
    ],
    [
        "Che, estoy abajo, pero el timbre no funciona.",
        "Tirame la llave por la ventana.",
        "Y apurate, que estoy con las bolsas y empezó a llover otra vez.",
        "Traje de todo, después te cuento.",
    ],
    [
        "Al final conseguí las entradas.",
        "Son para el viernes a la noche, en la tribuna de allá arriba.",
        "Salieron carísimas, pero ya está.",
        "Una vez al año no hace daño.",
    ],
    [
        "¿Vos sabés cómo se arregla una canilla?",
        "La del baño pierde toda la noche y no me deja dormir.",
        "Ya probé con un rollo de cinta y fue peor.",
    ],
    [
        "Mirá, yo te ayudo con la mudanza.",
        "Pero el sábado no puedo, porque tengo el desayuno con los chicos del club.",
        "El domingo a la tarde, cuando quieras.",
    ],
    [
        "Te cuento que empecé a correr.",
        "Hoy hice tres vueltas a la laguna y casi me muero.",
        "Las zapatillas me sacaron una ampolla en cada talón.",
    ],
    [
        "Che, ¿leíste el mensaje de Goyo?",
        "Dice que se va a vivir al Uruguay.",
        "Yo le dije que está loco, pero la verdad, lo entiendo.",
        "Allá la vida es más tranquila.",
    ],
    [
        "Uy, perdón, se me cortó la llamada.",
        "Te decía que la reunión se pasó para el martes.",
        "Avisale a Yamila, que no tiene el teléfono nuevo.",
    ],
    [
        "El pibe del kiosco me guardó los alfajores que te gustan.",
        "Son los de dulce de leche con la tapita amarilla.",
        "Te llevo media docena el jueves.",
    ],
    [
        "Hoy cociné yo, no lo vas a creer.",
        "Hice un guiso con pollo, zapallo y arvejas.",
        "Salió riquísimo, hasta mi hermana repitió.",
        "Te guardé un plato en la heladera.",
    ],
    [
        "¿A vos también te llegó la factura de la luz?",
        "A mí me vino el doble que en enero.",
        "Voy a llamar a la compañía, aunque nunca atiende nadie.",
    ],
    [
        "Ya sé que es tarde, pero te quería decir una cosa.",
        "Gracias por bancarme en todo este lío.",
        "Sin vos yo no llegaba ni a la mitad.",
        "Sos un amigo de verdad.",
    ],
    ["Fijate si dejé los anteojos ahí.", "Tenían una funda negra, con un cierre brillante.", "Si no están, los perdí en el taxi de ayer."],
    [
        "Che, ¿hacemos un picadito el miércoles?",
        "Ya somos ocho, faltan dos y el arquero.",
        "Si viene el payaso de tu primo, que no se haga el crack.",
    ],
    [
        "Hoy vi un cuadro que te hubiera encantado.",
        "Era una calle de San Telmo, con la vereda mojada y un farol amarillo.",
        "Costaba más que mi sueldo, así que me traje la postal.",
    ],
    [
        "Bueno, me voy a la cama.",
        "Mañana arranco temprano, porque llevo a la nena al colegio.",
        "Si pasa algo, llamame, que dejo el teléfono prendido.",
        "Chau, que descanses.",
    ],
    [
        "Escuchá esto, que es buenísimo.",
        "Mi vieja le habla a la planta todas las mañanas, y la planta creció un metro.",
        "Yo le hablo al jefe todos los días y no me aumenta ni un peso.",
    ],
    [
        "Anotá la dirección, por favor.",
        "Es Ayacucho cuatrocientos veinte, segundo piso.",
        "Tocá fuerte, porque mi tía escucha poco.",
        "Ella te va a dar el sobre con la plata.",
    ],
]


def demo_sentences() -> list[str]:
    """Every sentence of every note, in order."""
    return [sentence for note in NOTES for sentence in note]
