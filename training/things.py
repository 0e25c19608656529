"""The things that emoji scenes are made of: their words, and what each art package calls them.

One line a thing: `name | synonym | ... > plural | ... = icon, icon, ...`. The plural may be left
out where a regular one would be wrong or nobody says it (bread, fire). The first icon name that a
package has is the drawing taken from it, so a package may lack a thing.
"""

from dataclasses import dataclass

_TABLE = """
cat|kitten > cats|kittens = cat-face, cat
dog|puppy > dogs|puppies = dog-face, dog
horse|pony > horses|ponies = horse-face, horse
cow > cows = cow-face, cow
pig > pigs = pig-face, pig
rabbit|bunny > rabbits|bunnies = rabbit-face, bunny, rabbit
bear > bears = bear
panda > pandas = panda
koala > koalas = koala
tiger > tigers = tiger-face, tiger
lion > lions = lion
fox > foxes = fox
monkey > monkeys = monkey-face, monkey
elephant > elephants = elephant
frog > frogs = frog
turtle|tortoise > turtles = turtle
snake > snakes = snake
crocodile|alligator > crocodiles = crocodile
fish|tropical fish = tropical-fish, tropicalfish, fish
shark > sharks = shark
whale > whales = spouting-whale, spurtingwhale, whale
octopus > octopuses = octopus
crab > crabs = crab
penguin > penguins = penguin, penguin-1
rooster|chicken > roosters|chickens = rooster
duck > ducks = duck
owl > owls = owl
butterfly > butterflies = butterfly
bee|honeybee > bees = honeybee
ladybug|ladybird > ladybugs = lady-beetle, ladybeetle
snail > snails = snail
spider > spiders = spider
unicorn > unicorns = unicorn
tree > trees = deciduous-tree, deciduoustree
pine tree|evergreen tree|fir > pine trees = evergreen-tree, evergreen
palm tree|palm > palm trees = palm-tree, palmtree
christmas tree > christmas trees = christmas-tree, christmastree
cactus > cacti = cactus, cactus-1
sunflower > sunflowers = sunflower, sunflower-1
rose > roses = rose
mushroom > mushrooms = mushroom
apple|red apple > apples = red-apple, redapple
banana > bananas = banana
grapes|bunch of grapes = grapes
watermelon > watermelons = watermelon, watermelon-1
strawberry > strawberries = strawberry, strawberry-1
cherries > cherry = cherries
lemon > lemons = lemon
orange|tangerine > oranges = tangerine
pineapple > pineapples = pineapple
avocado > avocados = avocado
tomato > tomatoes = tomato
eggplant|aubergine > eggplants = eggplant, aubergine
carrot > carrots = carrot
corn|maize = ear-of-corn, earofmaize
bread|loaf of bread = bread
cheese = cheese-wedge
pizza|slice of pizza > pizzas = pizza, sliceofpizza, pizza-1
hamburger|burger > hamburgers|burgers = hamburger, hamburger-1
hot dog > hot dogs = hot-dog
french fries|fries = french-fries, frenchfries
fried egg|egg > fried eggs|eggs = cooking
ice cream = soft-ice-cream, softicecream, soft-ice-cream-1
cake|birthday cake > cakes = birthday-cake, birthdaycake, birthday-cake-1
doughnut|donut > doughnuts|donuts = doughnut, doughnut-1
popcorn = popcorn
beer|beer mug = beer-mug, beermug
coffee|cup of coffee|cup = hot-beverage, hotbeverage, hot-beverage-1
car|automobile > cars = automobile
taxi|cab > taxis = taxi
bus > buses = bus
truck|lorry > trucks = delivery-truck, deliverytruck
fire truck|fire engine > fire trucks = fire-engine, fireengine
ambulance > ambulances = ambulance
tractor > tractors = tractor
bicycle|bike > bicycles|bikes = bicycle
motorcycle|motorbike > motorcycles = motorcycle
train|locomotive > trains = locomotive, steamlocomotive
airplane|plane|aeroplane > airplanes|planes = airplane
helicopter > helicopters = helicopter
rocket > rockets = rocket
sailboat|boat > sailboats|boats = sailboat
house|home > houses = house, housebuilding, house-with-garden
castle > castles = castle, europeancastle
tent > tents = tent
ferris wheel > ferris wheels = ferris-wheel, ferriswheel
volcano > volcanoes = volcano
sun = sun, sunrays
moon|crescent moon = crescent-moon, crescentmoon
star > stars = star
cloud > clouds = cloud, cloud-1
rainbow > rainbows = rainbow
fire|flame > flames = fire
umbrella > umbrellas = umbrella
snowman > snowmen = snowman-without-snow, snowmanwithoutsnow, snowman
balloon > balloons = balloon
gift|present > gifts|presents = wrapped-gift, present, wrapped-gift-1
soccer ball|football > soccer balls = soccer-ball, soccerball
basketball > basketballs = basketball
tennis ball|tennis racket > tennis balls = tennis, tennisball, tennis-1
trophy|cup trophy > trophies = trophy
crown > crowns = crown
drum > drums = drum
guitar > guitars = guitar
trumpet > trumpets = trumpet
books|stack of books > book = books
bell > bells = bell
key > keys = key
lock|padlock > locks = locked, lock
scissors = scissors, blackscissors
pencil > pencils = pencil, lowerleftpencil
light bulb|lamp > light bulbs = light-bulb, lightbulb
candle > candles = candle
alarm clock|clock > clocks = alarm-clock, alarmclock
camera > cameras = camera
telephone|phone > telephones|phones = telephone, blacktelephone
laptop|computer > laptops|computers = laptop
television|tv > televisions = television
bed > beds = bed
toilet > toilets = toilet
bathtub|bath > bathtubs = bathtub
shoe|sneaker > shoes|sneakers = running-shoe
top hat|hat > hats = top-hat, tophat
glasses|eyeglasses = glasses, glasses-1
sunglasses = sunglasses, darksunglasses
t-shirt|shirt > t-shirts|shirts = t-shirt
dress > dresses = dress
backpack|rucksack > backpacks = backpack, schoolsatchel, school-backpack
diamond|gem > diamonds|gems = gem-stone, gem
bomb > bombs = bomb
anchor > anchors = anchor
traffic light > traffic lights = vertical-traffic-light, verticaltrafficlight
"""

# What else of a thing the art packages drew, for training alone: `name = icon, icon, ...`.
_SECONDS_TABLE = """
cat = cat, catside, black-cat, grinning-cat
dog = dog, dogside, guide-dog, service-dog, poodle
horse = horse
cow = cow
pig = pig, pigside
rabbit = rabbit, bunnyside
bear = bear-face, polar-bear, teddy-bear
panda = panda-face
tiger = tiger, tigerside
fox = fox-face, fox-face-1, fox-face-2, foxgrin
monkey = monkey, see-no-evil-monkey, monkeysee, hear-no-evil-monkey, speak-no-evil-monkey
frog = frog-face
fish = fish, blowfish
whale = whale
penguin = penguin-2
rooster = chicken
cactus = cactus-2
sunflower = sunflower-2
mushroom = brown-mushroom
apple = green-apple, greenapple
watermelon = watermelon-2
strawberry = strawberry-2
bread = baguette-bread
pizza = pizza-2
hamburger = hamburger-2, hamburger-3
ice cream = ice-cream, icecream, soft-ice-cream-2
cake = birthday-cake-2, birthday-cake-3, shortcake, shortcake-1, shortcake-2, cupcake
doughnut = doughnut-2
beer = clinking-beer-mugs, clinkingbeermugs
coffee = hot-beverage-2, teacup-without-handle
car = oncoming-automobile, oncomingautomobile, sport-utility-vehicle, racing-car, racingcar
taxi = oncoming-taxi, oncomingtaxi
bus = oncoming-bus, oncomingbus, trolleybus, minibus
truck = articulated-lorry, articulatedlorry, pickup-truck
motorcycle = motor-scooter
train = train, high-speed-train, highspeedtrain, bullet-train, light-rail, tram
airplane = small-airplane
house = house, house-with-garden, housewithgarden, derelict-house
castle = japanese-castle, japanesecastle
sun = sun-with-face
moon = first-quarter-moon-face, last-quarter-moon-face
star = glowing-star, glowingstar
cloud = cloud-2
umbrella = umbrella-with-rain-drops, umbrellawithraindrops
snowman = snowman
gift = wrapped-gift-2
drum = long-drum
books = closed-book, green-book, blue-book, orange-book
bell = ringingbell
key = old-key
lock = locked-with-key, locked-with-pen, unlocked
camera = camera-with-flash, camerawithflash
telephone = telephone-receiver
laptop = laptop-computer
shoe = mans-shoe, mensshoe, hiking-boot, flat-shoe
glasses = glasses-2
t-shirt = running-shirt, runningshirt
traffic light = horizontal-traffic-light, horizontaltrafficlight
"""


@dataclass(frozen=True)
class Thing:
    """One thing: its name, other names for one of it, its plurals, and icon names to look for."""

    name: str
    synonyms: tuple[str, ...]
    plurals: tuple[str, ...]
    icons: tuple[str, ...]


def _split(text: str, mark: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(mark) if part.strip())


def _parse(line: str) -> Thing:
    words, icons = line.split("=")
    singular, _, plural = words.partition(">")
    name, *synonyms = _split(singular, "|")
    return Thing(name, tuple(synonyms), _split(plural, "|"), _split(icons, ","))


THINGS: tuple[Thing, ...] = tuple(_parse(line) for line in _TABLE.strip().splitlines())
SECONDS: dict[str, tuple[str, ...]] = {
    name.strip(): _split(icons, ",")
    for name, icons in (line.split("=") for line in _SECONDS_TABLE.strip().splitlines())
}
