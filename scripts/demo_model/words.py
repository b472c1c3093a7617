"""The raw words of the corpus: names, places, things and topics. It is only lists; what is said
with them, and what is kept back for the evaluation, is decided elsewhere.
"""

from __future__ import annotations


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", " ").split(",") if part.strip())


NAMES = _split("""
Ada, Alan, Alice, Amir, Amélie, Ana, Anders, Andrea, Anna, Anton, Aria, Arjun, Astrid, Aylin, Bea,
Ben, Björn, Bob, Bruno, Carla, Carlos, Carmen, Chen, Chloé, Clara, Dana, Daniel, David, Dev,
Diego, Dmitri, Dora, Ebba, Elena, Eli, Elif, Ella, Emil, Emma, Enzo, Erik, Esra, Eva, Fatima,
Felix, Finn, Fiona, Frank, Frida, Gabriel, Gina, Grace, Greta, Gustav, Hanna, Hans, Hassan, Heidi,
Helen, Henry, Hiro, Hugo, Ida, Ilse, Imani, Ines, Ingrid, Iris, Isaac, Ivan, Ivy, Jack, Jakob,
James, Jan, Jana, Jane, Jens, Joana, Joe, Johan, John, José, Juan, Julia, Jürgen, Kai, Karim,
Karl, Kate, Kenji, Kim, Klara, Kofi, Lars, Laura, Lea, Lena, Leo, Liam, Lila, Lin, Linda, Lisa,
Louis, Luca, Lucy, Luis, Łukasz, Maja, Malik, Marco, Maria, Marie, Mark, Marta, Mary, Mateo, Max,
Maya, Mei, Mia, Mika, Milan, Mira, Mohammed, Mona, Nadia, Nia, Nico, Nils, Nina, Noah, Noor, Nora,
Olga, Oliver, Olivia, Omar, Oscar, Otto, Pablo, Paul, Paula, Pedro, Peter, Petra, Priya, Quinn,
Rafael, Raj, Renée, Rita, Robert, Rosa, Ruth, Sam, Samira, Sara, Sean, Selma, Simon, Sofia, Søren,
Stella, Sven, Tariq, Theo, Thomas, Tim, Tina, Tom, Uma, Vera, Victor, Wei, Will, Yara, Yuki,
Yusuf, Zoe, Zoë, Aaron, Abby, Abdul, Abigail, Adam, Adele, Adrian, Agnes, Ahmed, Aisha, Akira,
Albert, Alejandro, Alex, Alexander, Alexandra, Alexis, Alfred, Ali, Alina, Alma, Amanda, Amber,
Amelia, Amina, Amy, Andre, Andrew, Andy, Angela, Anita, Anne, Annie, Anthony, Antonio, April,
Arthur, Arya, Asha, Audrey, August, Ava, Axel, Barbara, Beatrice, Bella, Benjamin, Bernard, Beth,
Betty, Bianca, Bill, Billy, Brandon, Brenda, Brian, Bridget, Bruce, Caleb, Cameron, Camila, Carl,
Carol, Caroline, Catherine, Cecilia, Charles, Charlie, Charlotte, Chris, Christian, Christina,
Christine, Christopher, Claire, Claudia, Cleo, Colin, Connor, Cora, Craig, Cynthia, Daisy, Dan,
Daniela, Dave, Dean, Debra, Denis, Dennis, Derek, Diana, Diane, Dominic, Donald, Donna, Doris,
Dorothy, Douglas, Duncan, Dylan, Ed, Eddie, Edgar, Edith, Edward, Eleanor, Elijah, Elisa,
Elizabeth, Ellen, Elsa, Emily, Emmanuel, Eric, Erica, Ernest, Esther, Ethan, Eugene, Evan, Eve,
Evelyn, Faith, Fernando, Flora, Florence, Francis, Francisco, Fred, Freya, Gary, Gemma, George,
Georgia, Gerald, Gloria, Gordon, Graham, Greg, Hannah, Harold, Harper, Harriet, Harry, Harvey,
Heather, Hector, Holly, Hope, Howard, Ian, Igor, Irene, Isabel, Isabella, Isla, Jackson, Jacob,
Jade, Jake, Jamal, Jamie, Janet, Jasmine, Jason, Jean, Jeff, Jennifer, Jenny, Jeremy, Jerry,
Jessica, Jill, Jim, Jimmy, Joan, Joanna, Jonas, Jonathan, Jordan, Jorge, Joseph, Josephine,
Joshua, Joy, Joyce, Judith, Judy, Julian, Julie, June, Justin, Karen, Katherine, Kathleen, Katie,
Keith, Kelly, Ken, Kenneth, Kevin, Kira, Kyle, Larry, Lauren, Lawrence, Layla, Leah, Leila, Leon,
Leonard, Lewis, Lily, Logan, Lola, Lorenzo, Louise, Lucas, Lukas, Luke, Luna, Lydia, Mabel,
Madison, Manuel, Marcus, Margaret, Margot, Marina, Mario, Marion, Martha, Martin, Martina, Marvin,
Mason, Matt, Matthew, Maurice, Megan, Melissa, Michael, Michelle, Miguel, Mike, Mila, Miles,
Miriam, Molly, Monica, Morgan, Nancy, Naomi, Natalia, Natalie, Nathan, Neil, Nelson, Niamh,
Nicholas, Nicole, Nikita, Nikolai, Norman, Olaf, Oleg, Ollie, Owen, Pamela, Patricia, Patrick,
Penny, Philip, Phoebe, Pierre, Rachel, Ralph, Ravi, Ray, Raymond, Rebecca, Ricardo, Richard, Rick,
Riley, Robin, Roger, Roland, Roman, Ron, Rose, Rosie, Ross, Roy, Ruby, Russell, Ryan, Sabine,
Sally, Samantha, Samuel, Sandra, Sarah, Sasha, Scarlett, Scott, Sebastian, Sergei, Shirley,
Silvia, Simone, Sophia, Sophie, Stanley, Stefan, Stephanie, Stephen, Steve, Steven, Stuart, Sue,
Susan, Sybil, Sylvia, Tamara, Tara, Ted, Teresa, Terry, Tessa, Theresa, Tobias, Toby, Todd, Tony,
Tyler, Ursula, Valentina, Vanessa, Veronica, Vincent, Viola, Violet, Walter, Wendy, William,
Willow, Xavier, Yasmin, Zach, Zara
""")

PLACES = _split("""
Paris, Berlin, Rome, Madrid, Lisbon, London, Dublin, Oslo, Stockholm, Copenhagen, Helsinki, Vienna,
Zürich, Geneva, Prague, Warsaw, Kraków, Budapest, Athens, Istanbul, Cairo, Nairobi, Lagos, Accra,
Tunis, Dakar, Delhi, Mumbai, Tokyo, Kyoto, Osaka, Seoul, Beijing, Shanghai, Hanoi, Bangkok, Manila,
Jakarta, Sydney, Perth, Auckland, Toronto, Montréal, Boston, Chicago, Austin, Denver, Seattle,
New York, San Diego, Lima, Bogotá, Quito, Santiago, São Paulo, Rio, Havana, Köln, München, Hamburg,
Leipzig, Graz, Basel, Lyon, Nice, Lille, Milan, Turin, Naples, Porto, Malmö, Bergen, Tallinn, Riga,
Vilnius, Ghent, Utrecht, Leeds, York, Cork, Glasgow, Cardiff, Italy, Spain, Norway, Japan, Kenya,
Brazil, Canada, Greece, Iceland, Portugal, Poland, Peru, India, Texas, Wales, Bavaria
""")

COLOURS = _split("""
red, green, blue, yellow, orange, purple, pink, brown, black, white, grey, turquoise, violet, gold,
silver, teal, crimson, indigo, magenta, cyan, beige, olive, navy, maroon, lavender, coral, mint
""")

SPECIES = _split("""
dog, cat, rabbit, hamster, parrot, horse, goldfish, turtle, snake, lizard, pig, goat, duck, mouse,
guinea pig, canary, donkey, ferret, hedgehog, pony, chicken, rat, frog, tortoise, kitten, puppy
""")

FOODS = _split("""
pizza, pasta, sushi, ramen, tacos, curry, falafel, hummus, soup, salad, cheese, chocolate,
pancakes,
waffles, rice, noodles, dumplings, paella, risotto, lasagne, couscous, crêpes, bread, apples,
mangoes, strawberries, ice cream, apple pie, fish and chips, goulash, kimchi, pho, burritos,
potatoes, mushrooms, olives, spinach, tofu, lentils, jalapeños, açaí, tiramisù, knödel, smørrebrød
""")

HOBBIES = _split("""
chess, painting, running, swimming, reading, gardening, cooking, hiking, cycling, knitting,
singing,
dancing, photography, football, tennis, climbing, sailing, fishing, pottery, astronomy, origami,
skiing, surfing, baking, birdwatching, yoga, playing the piano, playing the guitar, woodworking
""")

JOBS = _split("""
teacher, nurse, baker, farmer, pilot, painter, writer, plumber, carpenter, doctor, lawyer,
gardener,
student, programmer, librarian, musician, cook, tailor, sailor, dentist, architect, biologist,
electrician, photographer, translator, journalist, firefighter, mechanic, chemist, singer
""")

LISTS: dict[str, tuple[str, ...]] = {
    "colours": COLOURS,
    "colors": COLOURS,
    "animals": _split("""lion, tiger, elephant, giraffe, zebra, bear, wolf, fox, rabbit, deer,
        horse,
        cow, otter, whale, dolphin, owl, eagle, penguin, kangaroo, koala, hedgehog, squirrel"""),
    "fruits": _split("""apple, banana, orange, pear, cherry, plum, mango, kiwi, peach, grape,
        lemon,
        lime, melon, papaya, fig, pineapple, strawberry, raspberry, blueberry, apricot"""),
    "vegetables": _split("""carrot, potato, onion, tomato, cucumber, pepper, spinach, broccoli,
        pea,
        bean, leek, garlic, pumpkin, cabbage, radish, celery, beetroot, kale, aubergine"""),
    "cities": PLACES[:60],
    "countries": _split("""France, Germany, Italy, Spain, Portugal, Norway, Sweden, Poland, Greece,
        Turkey, Egypt, Kenya, Ghana, India, China, Japan, Vietnam, Brazil, Peru, Chile, Mexico,
        Canada, Iceland, Ireland, Austria, Morocco, Nepal, Finland, Cuba, Jordan"""),
    "birds": _split("""robin, sparrow, eagle, owl, swan, duck, goose, crow, magpie, parrot, pigeon,
        stork, heron, falcon, penguin, flamingo, kingfisher, woodpecker, finch, swallow"""),
    "trees": _split("""oak, beech, birch, maple, pine, fir, spruce, willow, poplar, ash, elm,
        cedar,
        chestnut, walnut, olive, palm, linden, larch, yew, hazel"""),
    "flowers": _split("""rose, tulip, daisy, lily, orchid, sunflower, violet, poppy, daffodil,
        iris,
        peony, lavender, carnation, dahlia, crocus, snowdrop, marigold, jasmine"""),
    "instruments": _split("""piano, violin, guitar, flute, drum, trumpet, cello, clarinet, harp,
        oboe,
        accordion, saxophone, banjo, organ, trombone, tuba, ukulele, mandolin"""),
    "sports": _split("""football, tennis, basketball, swimming, running, cycling, rowing,
        volleyball,
        hockey, judo, golf, skiing, boxing, fencing, sailing, badminton, rugby, handball"""),
    "drinks": _split("""water, tea, coffee, milk, juice, lemonade, cocoa, cider, smoothie,
        ginger ale,
        iced tea, espresso, mineral water, apple juice, hot chocolate, café au lait"""),
    "foods": FOODS[:24],
    "planets": _split("Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus, Neptune"),
    "shapes": _split("""circle, square, triangle, rectangle, oval, star, pentagon, hexagon,
        diamond,
        cube, sphere, cone, cylinder, pyramid, octagon"""),
    "jobs": JOBS,
    "hobbies": HOBBIES,
    "insects": _split("""ant, bee, wasp, fly, beetle, butterfly, moth, ladybird, grasshopper,
        cricket,
        dragonfly, mosquito, flea, firefly, termite, bumblebee"""),
    "fish": _split("""salmon, trout, tuna, cod, herring, carp, pike, eel, sardine, shark, mackerel,
        goldfish, perch, haddock, sturgeon, anchovy"""),
    "metals": _split("""iron, copper, gold, silver, tin, lead, zinc, nickel, aluminium, platinum,
        titanium, cobalt, chromium, tungsten, magnesium"""),
    "clothes": _split("""shirt, trousers, hat, scarf, coat, dress, skirt, socks, gloves, jacket,
        sweater, boots, belt, tie, vest, pyjamas, cap, sandals"""),
    "tools": _split("""hammer, saw, screwdriver, drill, pliers, wrench, chisel, file, ruler, axe,
        shovel, rake, level, clamp, sandpaper, scissors"""),
    "languages": _split("""English, French, German, Spanish, Italian, Portuguese, Dutch, Polish,
        Swedish, Danish, Finnish, Greek, Turkish, Arabic, Hindi, Japanese, Korean, Swahili"""),
    "programming languages": _split("""Python, JavaScript, C, Rust, Go, Java, Ruby, Haskell, Lisp,
        Kotlin, Swift, Perl, PHP, Scala, Erlang, Lua, Zig, OCaml"""),
    "names": NAMES[:60],
    "months": _split("""January, February, March, April, May, June, July, August, September,
        October,
        November, December"""),
    "days of the week": _split("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "seasons": _split("spring, summer, autumn, winter"),
    "continents": _split("""Africa, Antarctica, Asia, Australia, Europe, North America,
        South America"""),
    "rivers": _split("""Nile, Amazon, Danube, Rhine, Thames, Seine, Volga, Ganges, Mekong, Congo,
        Mississippi, Elbe, Loire, Tagus, Vistula"""),
    "pets": SPECIES[:16],
    "desserts": _split("""apple pie, ice cream, tiramisù, crème brûlée, cheesecake, brownie,
        pudding,
        pancakes, baklava, chocolate cake, macarons, fruit salad, waffles, meringue"""),
    "vehicles": _split("""car, bus, train, tram, bicycle, boat, ship, plane, helicopter, truck,
        scooter,
        motorbike, submarine, tractor, ferry, rocket"""),
    "feelings": _split("""joy, sadness, anger, fear, surprise, hope, love, pride, shame, calm,
        envy,
        curiosity, boredom, excitement, gratitude, relief"""),
    "body parts": _split("""head, arm, leg, hand, foot, nose, ear, eye, mouth, knee, elbow,
        shoulder,
        back, finger, toe, neck, chin, wrist"""),
    "things in a kitchen": _split("""pot, pan, kettle, knife, fork, spoon, plate, bowl, oven,
        fridge,
        cup, whisk, grater, cutting board, sink, toaster"""),
}

ORDERED = frozenset({"months", "days of the week", "seasons", "planets", "continents"})

NUMBER_WORDS = _split("""
zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen,
fourteen,
fifteen, sixteen, seventeen, eighteen, nineteen, twenty
""")

NOUNS = _split("""
dragon, robot, fox, cat, lighthouse, pirate, wizard, owl, bear, baker, river, castle, moon, teapot,
train, snail, violin, garden, ghost, island, clockmaker, turtle, star, princess, astronaut, bridge,
mouse, whale, wolf, knight, gardener, kite, puppet, spaceship, detective, sailor, penguin, unicorn,
hedgehog, witch, submarine, balloon, mountain, giant, librarian, toaster, bicycle, umbrella,
cactus,
octopus, lamp, piano, tiger, farmer, ladder, mirror, pumpkin, squirrel, compass, blanket,
scarecrow,
carpet, cloud, clown, compost heap, computer, cucumber, cow, crab, crown, dinosaur, dolphin,
donkey,
door, drum, duck, elephant, fairy, fish, frog, goat, goblin, goose, hamster, horse, juggler,
kettle,
king, kitten, ladybird, letter, lion, magician, mermaid, monkey, monster, nurse, parrot, pebble,
pencil, phoenix, pigeon, pony, potato, puppy, queen, rabbit, raven, seagull, shepherd, shoe,
spider,
spoon, statue, suitcase, swan, teacher, thief, tortoise, tram, tree, troll, vampire, windmill,
zebra
""")

TOPICS = _split("""
quantum physics, black holes, photosynthesis, the French Revolution, inflation, the stock market,
volcanoes, plate tectonics, the Roman Empire, Shakespeare, climate change, gravity, electricity,
vaccines, the immune system, evolution, dinosaurs, the Cold War, philosophy, democracy, blockchain,
bitcoin, machine learning, neural networks, transformers, compilers, databases, operating systems,
the internet, DNS, TCP, Docker, Kubernetes, Linux, git, regular expressions, recursion, sorting
algorithms, prime numbers, calculus, linear algebra, statistics, probability, chemistry, acids,
the periodic table, DNA, cells, the human heart, the brain, sleep, nutrition, vitamins, marathon
training, yoga poses, chess openings, jazz, opera, impressionism, Picasso, Mozart, Beethoven, the
Beatles, cinema, Star Wars, Lord of the Rings, Harry Potter, Greek mythology, Buddhism, the Bible,
feminism, taxes, mortgages, insurance, contracts, copyright, resumes, job interviews,
cover letters,
marketing, startups, leadership, time management, meditation, stress, friendship, marriage,
parenting, babies, schools, exams, homework, essays, grammar, the subjunctive, Latin, poetry,
haiku,
cars, engines, batteries, solar panels, nuclear power, rockets, Mars, comets, galaxies,
the Big Bang,
tides, earthquakes, hurricanes, rainbows, clouds, forests, coral reefs, sharks, bees, wolves,
horses,
cheese making, sourdough, wine, coffee roasting, knife sharpening, gardening, compost, roses,
bonsai,
house plants, carpentry, plumbing, painting a wall, sewing, knitting patterns, photography, lenses,
politics, elections, the president, the United Nations, the European Union, football results, the
Olympics, basketball, Formula 1, tennis rankings, video games, board games, magic tricks, origami,
travel visas, cheap flights, hotels, camping, hiking boots, allergies, headaches, back pain, flu,
antibiotics, diabetes, cholesterol, running shoes, weight loss, superconductors, lasers,
microscopes,
the speed of light, relativity, entropy, thermodynamics, fluid dynamics, bridges, skyscrapers,
tunnels,
Vikings, samurai, pharaohs, pyramids, the Aztecs, Napoleon, Cleopatra, Einstein, Newton,
Marie Curie,
Julius Caesar, Gandhi, the Titanic, the moon landing, World War II, the Berlin Wall, colonialism,
GDP, interest rates, pensions, cryptography, passwords, phishing, firewalls, GPUs, CUDA, Rust
lifetimes, Python decorators, React hooks, CSS grid, SQL joins, REST APIs, WebAssembly,
Bash scripts
""")

PLAIN_WORDS = _split("""
the, a, of, and, to, in, is, that, it, was, for, on, are, as, with, his, they, at, be, this, have,
from, or, one, had, by, but, not, what, all, were, we, when, your, can, said, there, use, an, each,
which, she, do, how, their, if, will, up, other, about, out, many, then, them, these, so, some,
her,
would, make, like, him, into, time, has, look, two, more, write, go, see, number, no, way, could,
people, my, than, first, water, been, call, who, oil, its, now, find, long, down, day, did, get,
come, made, may, part, over, new, sound, take, only, little, work, know, place, year, live, me,
back,
give, most, very, after, thing, our, just, good, sentence, man, think, say, great, where, help,
through, much, before, line, right, too, mean, old, any, same, tell, boy, follow, came, want, show,
also, around, form, three, small, set, put, end, does, another, well, large, must, big, even, such,
because, turn, here, why, ask, went, men, read, need, land, different, home, us, move, try, kind,
hand, picture, again, change, off, play, spell, air, away, animal, house, point, page, letter,
mother,
answer, found, study, still, learn, should, world, high, every, near, add, food, between, own,
below,
country, plant, last, school, father, keep, tree, never, start, city, earth, eye, light, thought,
head, under, story, saw, left, few, while, along, might, close, something, seem, next, hard, open,
example, begin, life, always, those, both, paper, together, got, group, often, run, important,
until,
children, side, feet, car, mile, night, walk, white, sea, began, grow, took, river, four, carry,
state, once, book, hear, stop, without, second, late, miss, idea, enough, eat, face, watch, far,
really, almost, let, above, girl, sometimes, mountain, cut, young, talk, soon, list, song, leave,
family, body, music, colour, report, meeting, system, budget, project, customer, market, server,
error, function, value, return, contract, party, patient, results, table, figure, section, chapter
""")
