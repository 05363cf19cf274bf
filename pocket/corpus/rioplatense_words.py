"""Words and turns of phrase of Buenos Aires from which pocket/corpus/sentences.py builds its sentences. Data only.

Nouns carry their article, adjectives both genders ("o/a"), so that the sentences agree. Words with ⟨ll, y⟩ are
many on purpose: they are the windows in which sheísmo is heard.
"""


def _split(block: str) -> list[str]:
    return [item.strip() for item in block.replace("\n", ";").split(";") if item.strip()]


NAMES = _split("""Guillermo; Yanina; Yamila; Santiago; Lucía; Martín; Camila; Nicolás; Florencia; Joaquín; Agustina; Facundo; Micaela; Ezequiel; Rocío;
Gonzalo; Paula; Hernán; Julieta; Ramiro; Malena; Tomás; Carla; Diego; Vero; Nacho; Lula; Fede; Mariana; Pablo; Silvia; Goyo; Yésica; Estrella; Ulises;
Damián; Belén; Leandro; Romina; Cacho; Beto; Graciela; Norma; Jorge; Gastón; Ximena; Iván; Zulma; Wanda; Kevin""")
PLACES = _split("""la cancha; la plaza; el club; el laburo; la playa; el súper; la facultad; el kiosco; la terminal; la esquina; el centro; la parrilla;
la farmacia; el gimnasio; la pileta; el banco; la estación; el hospital; la verdulería; la calle Corrientes; Caballito; Avellaneda; Villa Crespo; Palermo; Flores; San Telmo;
Villa Luro; Callao y Santa Fe; La Boca; Boedo; Lanús; Quilmes; Mar del Plata; Vallejos; la casa de Yamila; lo de mi vieja; lo de Guillermo; el taller; la panadería; el galpón; el valle;
la laguna; Bariloche; Rosario; Uruguay; el arroyo; el colegio; la oficina; el subte; la terraza""")
MASCULINE = _split("""pollo; cuchillo; bolsillo; caballo; cepillo; sello; anillo; ladrillo; castillo; rollo; proyecto; desayuno; yogur; yeso; apoyo; arroyo; rayo;
ensayo; payaso; mate; asado; colectivo; laburo; quilombo; bondi; pibe; perro; gato; auto; vino; fernet; alfajor; partido; gol; domingo; viaje; regalo; libro; teléfono; mensaje;
televisor; sillón; escalón; tornillo; cajón; paraguas; zapato; vestido; jugo; queso; jamón; helado; chocolate; examen; trámite; sueldo; alquiler; techo; piso; pasillo; ventilador;
horno; fuego; humo; viento; cielo; río; árbol; gallo; toro; chico; médico; vecino; abogado; técnico; jefe; video; cuaderno; lápiz; reloj; barrio; taxi; tren; avión;
equipaje; jabón; shampú; pañuelo; guante; guiso; choripán; sánguche; tomate; zapallo; repollo; membrillo; orgullo; detalle; desarrollo; llavero; llanto; yerno; yuyo; mayordomo; payador""")
FEMININE = _split("""calle; llave; lluvia; llamada; silla; gallina; botella; rodilla; toalla; pantalla; tortilla; playa; yerba; ayuda; raya; yegua; yema; camilla; hebilla;
ventanilla; zapatilla; milanesa; empanada; pizza; cerveza; guitarra; canción; película; novela; bicicleta; moto; camioneta; factura; plata; tarjeta; birome; campera; remera;
bufanda; mochila; valija; heladera; cocina; ventana; puerta; escalera; terraza; pared; luz; lámpara; cama; mesa; cuchara; olla; parrilla; ensalada; sopa; fruta; manzana; naranja; frutilla;
semilla; vainilla; mantequilla; cebolla; mejilla; costilla; pesadilla; maravilla; orilla; estrella; batalla; medalla; muralla; huella; joya; boya; noche; mañana; tarde; semana; fiesta; reunión; boda;
abuela; nena; piba; vecina; doctora; maestra; jefa; música; foto; carta; historia; noticia; pregunta; respuesta; duda; mentira; verdad; suerte; bronca; vergüenza; gripe; fiebre; tos; muela""")
ADJECTIVES = _split("""amarillo/amarilla; lindo/linda; feo/fea; grande/grande; chico/chica; nuevo/nueva; viejo/vieja; rojo/roja; negro/negra; blanco/blanca; azul/azul;
verde/verde; caro/cara; barato/barata; roto/rota; frío/fría; caliente/caliente; rico/rica; bárbaro/bárbara; copado/copada; trucho/trucha; enorme/enorme; sencillo/sencilla; brillante/brillante;
mayor/mayor; ajeno/ajena; raro/rara; perdido/perdida; prestado/prestada; usado/usada; mojado/mojada; lleno/llena; vacío/vacía; largo/larga; corto/corta; dulce/dulce; salado/salada; tranquilo/tranquila;
pesado/pesada; liviano/liviana; sucio/sucia; limpio/limpia; argentino/argentina; uruguayo/uruguaya; paraguayo/paraguaya; increíble/increíble""")
VOS = _split("""tenés; querés; podés; sabés; comprás; llevás; llamás; traés; ponés; buscás; encontrás; mirás; escuchás; vendés; pagás; arreglás; cocinás; llenás; ayudás;
necesitás; preferís; elegís; perdés; guardás; dejás; apoyás; tirás; limpiás; pintás; dibujás; usás; cambiás; olvidás; regalás""")
IMPERATIVES = _split("""traé; comprá; llevá; buscá; mirá; agarrá; dejá; poné; sacá; guardá; pedí; vendé; arreglá; limpiá; llená; apoyá; cuidá; prestame; traeme; pasame; comprame;
guardame; llevame; mostrame; alcanzame; devolveme; regalame; mandame; contame de; acordate de; olvidate de""")
PAST_I = _split("""compré; llevé; traje; vi; perdí; encontré; dejé; vendí; arreglé; pagué; cociné; busqué; pedí; agarré; llené; rompí; guardé; regalé; tiré; usé; apoyé; elegí; limpié; pinté;
presté; olvidé; ensayé; desarrollé""")
PAST_3 = _split("""compró; llevó; trajo; vio; perdió; encontró; dejó; vendió; arregló; pagó; cocinó; buscó; pidió; agarró; llenó; rompió; guardó; regaló; tiró; usó; apoyó; eligió; limpió; pintó;
prestó; olvidó; construyó; destruyó; distribuyó; leyó""")
WHEN = _split("""ayer; anteayer; hoy; mañana; el lunes; el martes; el miércoles; el jueves; el viernes; el sábado; el domingo; a la mañana; a la tarde; a la noche; el mes que viene;
la semana pasada; en mayo; en enero; en julio; ya; todavía no; recién; hace un rato; más tarde; temprano; después del desayuno; antes del asado; el año pasado; a veces; nunca; siempre; todos los días""")
FILLERS = _split("""Che; Mirá; Escuchame; Bueno; Dale; Posta; Ojo; Boludo; Che, boludo; Uy; Ah; No sabés; La verdad; Te cuento; Viste; Obvio; Igual; Ponele; Encima; Al final; Por suerte;
Qué sé yo; Ni idea; Tranqui; Bueno, dale; Mirá vos; Te juro; Y bueno; Ya fue; Yo qué sé""")
SHORT = _split("""¡Qué quilombo!; ¡Qué bajón!; ¿Cómo andás?; ¿Todo bien?; Todo tranqui.; Ya voy.; Ya llego.; Yo también.; Yo no fui.; Estoy llegando.; ¿Llegaste bien?; ¿Dónde estás?;
No pasa nada.; Dale, nos vemos.; Un abrazo grande.; Besos a todos.; Está lloviendo.; ¡Qué lluvia!; ¡Qué calor!; Hace un frío bárbaro.; Me llamo Guillermo.; ¿Me llamás?; Te llamo yo.; Llamame ya.;
No llego.; Ya está.; Ya fue.; Ni ahí.; De una.; Obvio que sí.; Ni loco.; Re lindo.; Re caro.; Posta te digo.; Te re quiero.; ¿Vos venís?; ¿Vos qué decís?; Yo invito.; Yo llevo el hielo.; Muy rico todo.;
Cayó el rey.; Soy yo.; Hoy no hay.; Ahí voy.; Allá vamos.; Ella no sabe.; Ellos ya llegaron.; Vos callate.; Vení para acá.; Andá para allá.; Fijate bien.; Apurate, che.; No seas boludo.; ¡Mirá vos!; Mucho laburo.;
Estoy fundido.; Me voy a dormir.; ¿Qué hacés, loco?; ¿Qué contás?; Todo piola.; Sos un genio.; Sos un grande.; Me olvidé la llave.; Se cortó la luz.; Perdimos otra vez.; ¡Ganamos, loco!; Bancame un toque.; Esperame abajo.;
Pasame la yerba.; Poné la pava.; Cebá unos mates.; ¿Hay facturas?; ¿Quién llamó?; Nadie llamó.; Llueve a mares.; Ya desayuné.; Voy por Callao.; Doblá en Ayacucho.; Estoy en Yatay.; Bajo en Yerbal.""")
OPENINGS = _split("""no me llamaste; llegué recién; estoy en el bondi; se largó a llover; me quedé dormido; ya terminé de laburar; no encuentro la llave; me olvidé el cargador; el subte no anda; hay un quilombo bárbaro;
la calle está cortada; me duele la rodilla; mi vieja hizo milanesas; los pibes quieren ir a la playa; el pollo estaba buenísimo; ella se cayó en la vereda; yo pago el asado; vos traé la yerba; el perro no para de llorar;
la llamada se cortó; me tomé un mate; salí a caminar; el jefe está a los gritos; la abuela cumple años; mañana juega la selección; ella ya me lo dijo; yo no entiendo nada; vos siempre llegás tarde;
el ensayo empieza a las nueve; no hay un mango; está lleno de gente; me llevo las zapatillas nuevas; se rompió la heladera; el desayuno está listo; apoyé el vaso en la silla; hace un frío terrible""")
JOINS = _split(
    ", pero; , así que; porque; y; , y encima; , aunque; , o sea que; , y después; , entonces; mientras; , por eso; ; , y al final; , igual"
)
RARE_FRAMES = _split("""Anotá {d}, {d} y {d}.; {D}, {d} y {d}.; Leí algo sobre {d} y {d}.; ¿Qué quiere decir {d}?; Buscá {d} en el diccionario.; {D} no es lo mismo que {d}.; Dijo {d} y después {d}.;
Mi abuelo decía {d}.; ¿Se escribe {d} o {d}?; Soñé con {d}, {d}, {d} y {d}.; {D} y {d}.; Ella repite {d} y {d} todo el día.; Me gusta cómo suena {d}.; Che, ¿y {d}?""")
