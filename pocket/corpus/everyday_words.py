"""Everyday Spanish of Buenos Aires for pocket/corpus/everyday_sentences.py: verbs by conjugation, irregular forms by person, phrases. Data only."""


def _split(block: str) -> list[str]:
    return [item.strip() for item in block.replace("\n", ";").split(";") if item.strip()]


REGULAR = """abrazar acompañar acomodar aceptar aguantar ahorrar alcanzar alquilar amar andar anotar apagar aparcar apoyar apurar arrancar arreglar arrimar atajar atar aumentar averiguar
avisar ayudar bailar bajar bancar bañar besar borrar brindar buscar callar cambiar caminar cansar cantar cargar casar cebar cenar charlar chusmear clavar cobrar cocinar colgar comprar conectar contestar cortar
cruzar cuidar dejar desayunar descansar descargar desmayar dibujar disculpar disfrutar doblar durar echar empujar encantar enojar ensayar entrar entregar enseñar escapar escuchar esperar estacionar estudiar
estrenar evitar explicar faltar festejar fijar filmar firmar formar funcionar ganar gastar grabar gritar guardar gustar hablar importar imaginar instalar intentar invitar jubilar juntar laburar ladrar lavar
levantar limpiar llamar llegar llenar llevar llorar luchar mandar manejar marcar masticar matar mezclar mirar mojar molestar mudar nadar necesitar ocupar odiar olvidar organizar pagar parar pasar pasear patear
pegar pelear pescar pintar planchar preguntar preocupar preparar presentar prestar quedar quejar quemar quitar rayar regalar regresar relajar repasar respirar retar saludar saltar sacar secar señalar soplar
subrayar sumar tapar tardar terminar tirar tocar tomar trabajar tratar trasladar usar viajar visitar votar aprender barrer beber comer correr coser creer deber depender esconder leer meter prender prometer
responder romper sorprender temer toser vender aburrir abrir asistir compartir confundir cubrir cumplir decidir descubrir discutir escribir existir insistir interrumpir partir permitir recibir subir sufrir unir vivir""".split()
IRREGULAR_INFINITIVES = """hacer decir venir ver dar tener poner salir traer saber volver mover jugar pensar dormir pedir seguir empezar encontrar perder caer construir leer
oír devolver conseguir elegir morder cerrar contar mostrar probar soñar conocer poder querer entender atender reír huir vestir despertar acordar""".split()
IRREGULAR_GERUNDS = """haciendo diciendo viniendo viendo dando teniendo poniendo saliendo trayendo volviendo jugando pensando durmiendo pidiendo siguiendo empezando perdiendo cayendo construyendo leyendo
riendo creyendo entendiendo contando mostrando probando soñando""".split()
IRREGULAR = {  # person: forms, of several tenses
    "yo": """soy estoy voy tengo quiero puedo digo hago vengo pongo salgo traigo sé veo doy oigo pienso siento duermo juego vuelvo encuentro pierdo empiezo cierro cuento muestro pruebo sueño conozco pido sigo elijo
        fui estuve tuve quise pude dije hice vine puse traje supe vi di oí pensé sentí dormí jugué volví encontré perdí empecé cerré conté conocí pedí seguí era iba tenía quería podía decía hacía venía sabía veía
        prefiero entiendo atiendo quiebro muero me muero me río me caigo huyo construyo caí leí creí averigüé conseguí consigo repetí mido vestí despierto me despierto acuerdo me acuerdo""",
    "vos": """sos estás vas tenés querés podés decís hacés venís ponés salís traés sabés ves das oís pensás sentís dormís jugás volvés encontrás perdés empezás cerrás contás mostrás probás soñás conocés pedís seguís
        elegís fuiste estuviste tuviste quisiste pudiste dijiste hiciste viniste pusiste trajiste supiste viste diste oíste pensaste dormiste volviste perdiste empezaste eras ibas tenías querías podías decías hacías
        venías sabías entendés atendés te acordás te reís te caés construís creés leés leíste caíste conseguiste te despertás preferís repetís""",
    "él": """es está va tiene quiere puede dice hace viene pone sale trae sabe ve da oye piensa siente duerme juega vuelve encuentra pierde empieza cierra cuenta muestra prueba sueña conoce pide sigue elige fue estuvo
        tuvo quiso pudo dijo hizo vino puso trajo supo vio dio oyó pensó sintió durmió jugó volvió encontró perdió empezó cerró contó conoció pidió siguió era iba tenía quería podía decía hacía venía sabía entiende
        atiende se ríe se cae se cayó huye huyó construye construyó creyó leyó repitió creció crece se murió se despertó se acuerda prefiere consigue parece pareció duele dolía""",
    "nosotros": """somos estamos vamos tenemos queremos podemos decimos hacemos venimos ponemos salimos traemos sabemos vemos damos pensamos dormimos jugamos volvemos encontramos perdemos empezamos fuimos estuvimos tuvimos
        quisimos pudimos dijimos hicimos vinimos pusimos trajimos vimos dimos volvimos éramos íbamos teníamos queríamos podíamos decíamos hacíamos veníamos sabíamos nos reímos nos caímos nos acordamos estábamos leímos creímos""",
    "ellos": """son están van tienen quieren pueden dicen hacen vienen ponen salen traen saben ven dan piensan duermen juegan vuelven encuentran pierden empiezan cierran cuentan fueron estuvieron tuvieron quisieron pudieron
        dijeron hicieron vinieron pusieron trajeron vieron dieron durmieron volvieron perdieron empezaron eran iban tenían querían podían decían hacían venían sabían se ríen se cayeron huyeron construyeron leyeron creyeron""",
}
SUBJECTS = {
    "yo": ["Yo", "", "La verdad, yo", "Hoy", "Ayer", "Al final"],
    "vos": ["Vos", "¿Vos", "¿", "Che, vos", "Si vos"],
    "él": ["Él", "Ella", "Mi vieja", "Mi viejo", "El pibe", "La piba", "Tu hermano", "Mi hermana", "Guillermo", "Yamila", "La abuela", "El tipo", "Mi primo", "Tu tía", "Nadie", "El jefe", "Alguien", "Mi yerno",
           "La mamá de Goyo", "Cada uno", "Todo el mundo", "La policía", "El médico", "El arquero", "La compañía"],
    "nosotros": ["Nosotros", "Los dos", "", "Con Yanina", "Todos nosotros", "Nosotras"],
    "ellos": ["Ellos", "Ellas", "Los pibes", "Mis viejos", "Las chicas", "Tus amigos", "Los vecinos", "Los jugadores", "Todos", "Mis hermanos", "Las nenas", "Algunos"],
}  # fmt: skip
COMPLEMENTS = _split("""otra vez; hasta las cuatro de la mañana; toda la noche; sin decir nada; por favor; conmigo; con vos; con él; con ella; con ellos; con toda la familia; en ningún lado; por todos lados; un montón;
muy poco; demasiado; casi nada; algo mejor; lo mismo de siempre; de a poco; despacio; rápido; fuerte; a las siete y media; a la mitad de la noche; en veinte minutos; dentro de un rato; hace mucho; desde enero;
allá arriba; acá abajo; adelante de todos; atrás de la puerta; arriba de la mesita; abajo de la cama; al lado del río; cerca de la estación; lejos de casa; en la otra esquina; por la vereda; hasta el segundo piso; en el tercer piso;
por primera vez; la última vez; la próxima vez; cada tanto; a cada rato; de nuevo; una vez al año; tantas veces; de golpe; de memoria; en serio; en broma; para nada; para todos; para mi cumpleaños; sobre la mesa;
un metro de cinta; media docena de facturas; dos kilos de papas; una docena de huevos; unas empanadas; los ravioles; el puré; las aceitunas; la manteca; la leche; el dulce de leche; la torta; el postre; la sal; las arvejas; el salame;
los anteojos; la dirección; el sobre; la bolsa; las bolsas; los bolsillos; las botellas; las llaves; las sillas; las velas; las entradas; los tornillos; las zapatillas llenas de barro; el timbre; la canilla; el baño; el ascensor; el edificio; la maceta; la planta;
el cierre de la campera; la funda negra; el farol de la calle; la postal; el cuadro; la tribuna; el arco; la guitarra; la bicicleta; el micro de las diez; las vacaciones; la mudanza; el resumen; el secreto; la razón; una sorpresa; una cosa; otra cosa; varias cosas;
mil pesos; cien mil pesos; el doble; la mitad; un poco más; un peso; el sueldo entero; las cuentas; la compañía de luz; el cajero automático; el repuesto; la fila del banco; el almuerzo; la cena; la merienda; unas vueltas por la laguna; el micro; el camión;
de otra manera; a su manera; como locos; como siempre; igual que antes; mejor que nunca; peor que ayer; tan bien; tan mal; bastante bien; más o menos; ni loco; ni siquiera un poco; sin voz; sin plata; sin ganas; con ganas; con abrigo; con un hambre terrible;
cuando puedas; cuando quieras; cuando llegue; si podés; si querés; porque sí; porque no había nadie; aunque no me guste; mientras tanto; además; ahora; ahora mismo; después de todo; antes de salir; entre nosotros; contra la pared; durante el partido; según el diario; los alfajores; el lío; una disculpa; las disculpas; un plato; las mañanas; todas las mañanas; muchas personas; los chicos; esto; eso; aquello; para mí; para él; el talón; la olla tapada; el picadito; el payaso
de tu primo; un daño; unas ampollas; todo prendido; las únicas dos; los únicos que quedan; una tapita; un crack; este lío; mucha sed; el ruido; la voz; las voces; la tía; el primo; los ojos; la mano; la cabeza; el corazón; la espalda; los pies""")
TAILS = _split("""¿te acordás?; ¿entendés?; ¿no?; ¿qué te parece?; ¿me explico?; che; te lo juro; por suerte; querido; hermano; amigo; loco; gracias; perdón; disculpame; no me hagas hablar; ojalá; eso sí; la verdad; viste; nada más; así es; por las dudas; un beso; un abrazo; chau; hasta luego; suerte; qué bueno;
pobre; qué lástima; menos mal; no lo puedo creer; qué raro; tranquilo; tranquila; dale; obvio; igual; posta; nos vemos; que descanses; avisame; después te cuento; ya vas a ver; yo qué sé""")
QUESTIONS = _split(
    """¿Qué; ¿Por qué; ¿Para qué; ¿Cuándo; ¿Cómo; ¿Dónde; ¿A qué hora; ¿Con quién; ¿Cuál; ¿Quién; ¿Cuánto; ¿Desde cuándo; ¿Hasta cuándo; ¿De quién; ¿A quién"""
)
STARTS = _split(
    """Hola; Bueno; Che; Mirá; Escuchá; Pará; Perdón; Gracias; Buen día; Buenas noches; Ojalá que; Parece que; Dicen que; Creo que; Me dijo que; Sé que; Te aviso que; Además; Ahora; Entonces; Igual; Por eso; Así que; Porque; Cuando; Como; Si; Aunque; Mientras; Menos mal que; Capaz que; Lo que pasa es que; Te quería decir que; Resulta que; Al otro día; Un día"""
)
ADJECTIVES = _split("""cansado; contento; triste; enojado; nervioso; dormido; despierto; enfermo; sano; solo; ocupado; libre; listo; seguro; perdido; desaparecido; encantado; aburrido; feliz; distinto; igual; tranquilo; podrido; embarazada; cansada; contenta; sola; lista; segura;
buenísimo; riquísimo; carísimo; lindísima; malísimo; grandísimo; altísimo; barato; bueno; malo; mejor; peor; alto; bajo; gordo; flaco; fuerte; débil; fácil; difícil; posible; imposible; verdadero; falso; primero; segundo; tercero; último; único; próximo""")
