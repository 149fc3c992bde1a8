"""What word problems are about: eight scenes, and what may happen in each.

    move = HAVE.moves[0]
    move.told[0].format(who="Ana", other="Ben", her="her", things="apples", n=5, ...)

How they are written says `elastic_reasoning.tasks.word_problems.scene`.
"""

from elastic_reasoning.tasks.word_problems.scene import Move, Scene

HAVE = Scene(
    "have",
    ("apples", "marbles", "stickers", "pencils", "shells", "cards", "buttons", "stamps", "beads", "walnuts", "cookies"),
    starts=(
        Move("start", ("{who} has {n} {things}.", "At first {who} has {n} {things}.")),
        Move("start groups", ("{who} has {k} boxes with {n} {things} each.",), "{k} boxes of {n} {things} are {sum}."),
    ),
    moves=(
        Move("add", ("{other} gives {her} {n} more.", "{She} finds {n} more {things}.")),
        Move("subtract", ("{She} gives {n} {things} to {other}.", "{She} loses {n} of them.")),
        Move(
            "add groups",
            ("{She} buys {k} bags with {n} {things} each.", "{other} brings {her} {k} bags of {n} {things}."),
            "{k} bags of {n} {things} are {sum}.",
        ),
        Move(
            "subtract groups",
            ("{She} gives {n} {things} to each of {k} friends.",),
            "{k} friends with {n} {things} each get {sum}.",
        ),
        Move("times", ("A week later {she} has {times} as many.",)),
        Move("share", ("{She} keeps {half} of them and gives the rest away.",)),
    ),
    ends=(
        Move(
            "share",
            ("{She} shares all of them equally among {k} friends.",),
            now="Each friend gets {sum} {things}.",
            question="How many {things} does each friend get?",
            solution="Each friend gets {answer} {things}.",
        ),
        Move(
            "left over",
            ("{She} packs them into bags of {k}, as many full bags as {she} can.",),
            "{whole} full bags of {k} take {sum}.",
            "Left over are {sum} {things}.",
            question="How many {things} are left over?",
            solution="There are {answer} {things} left over.",
        ),
    ),
    now=("Now {who} has {sum} {things}.", "So {she} has {sum} {things}.", "That makes {sum} {things}."),
    question="How many {things} does {who} have in the end?",
    solution="{who} has {answer} {things} in the end.",
)

SHOP = Scene(
    "shop",
    ("notebooks", "balls", "cups", "caps", "puzzles", "plants", "scarves", "lamps", "plates", "brushes"),
    starts=(
        Move("start", ("{who} puts a book for {n} dollars into the basket.", "{who} buys a toy for {n} dollars.")),
        Move("start groups", ("{who} buys {k} {things} for {n} dollars each.",), "{k} {things} cost {sum} dollars."),
    ),
    moves=(
        Move("add", ("{She} also takes a bag for {n} dollars.", "{She} adds a game for {n} dollars.")),
        Move("subtract", ("A coupon takes {n} dollars off.", "The shop takes {n} dollars off the price.")),
        Move(
            "add groups",
            ("{She} takes {k} pens at {n} dollars each.", "Then {she} picks {k} {things} for {n} dollars each."),
            "{k} times {n} dollars is {sum} dollars.",
        ),
        Move("times", ("For a party {she} takes all of it {times}.",)),
        Move("share", ("There is a sale, and all of it costs {half} of that.",)),
    ),
    ends=(
        Move(
            "change",
            ("{She} pays with {n} dollars.",),
            now="{She} gets back {sum} dollars.",
            question="How many dollars does {who} get back?",
            solution="{who} gets back {answer} dollars.",
        ),
        Move(
            "share",
            ("{k} friends split the price equally.",),
            now="Each friend pays {sum} dollars.",
            question="How many dollars does each friend pay?",
            solution="Each friend pays {answer} dollars.",
        ),
    ),
    now=("So far that is {sum} dollars.", "Now it costs {sum} dollars.", "The price is {sum} dollars."),
    question="How many dollars does {who} pay?",
    solution="{who} pays {answer} dollars.",
)

AGES = Scene(
    "ages",
    ("years",),
    starts=(Move("start", ("{who} is {n} years old.",)),),
    moves=(
        Move("add", ("{other} is {n} years older than {who}.",), shifts=True),
        Move("subtract", ("{other} is {n} years younger than {who}.",), shifts=True),
        Move("times", ("{other} is {times} as old as {who}.",), shifts=True),
        Move("share", ("{other}'s age is {half} of the age of {who}.",), shifts=True),
    ),
    ends=(
        Move(
            "add",
            ("Think of the day {n} years from now.",),
            now="Then {who} is {sum} years old.",
            question="How old is {who} on that day?",
            solution="{who} is {answer} years old on that day.",
        ),
    ),
    now=("So {who} is {sum} years old.", "The age of {who} is {sum} years."),
    question="How old is {who}?",
    solution="{who} is {answer} years old.",
)

POINTS = Scene(
    "points",
    ("points",),
    starts=(
        Move("start", ("{who} has {n} points in a game.",)),
        Move("start groups", ("{who} hits {k} times for {n} points each.",), "{k} hits of {n} points are {sum}."),
    ),
    moves=(
        Move("add", ("{other} has {n} points more than {who}.",), shifts=True),
        Move("subtract", ("{other} has {n} points less than {who}.",), shifts=True),
        Move("times", ("{other} has {times} as many points as {who}.",), shifts=True),
        Move("share", ("{other} has {half} of the points of {who}.",), shifts=True),
        Move(
            "add groups",
            ("{other} has as many as {who} and hits {k} more times for {n} points each.",),
            "{k} more hits of {n} points are {sum}.",
            shifts=True,
        ),
    ),
    ends=(
        Move(
            "change",
            ("{who} needs {n} points to win.",),
            now="{who} still needs {sum} points.",
            question="How many points does {who} still need?",
            solution="{who} still needs {answer} points.",
        ),
    ),
    now=("So {who} has {sum} points.", "Now {who} has {sum} points.", "The score of {who} is {sum} points."),
    question="How many points does {who} have?",
    solution="{who} has {answer} points.",
)

RIDE = Scene(
    "ride",
    ("bus", "train", "boat", "tram", "ferry"),
    starts=(
        Move("start", ("A {things} leaves with {n} people.", "There are {n} people on a {things}.")),
        Move("start groups", ("{k} groups of {n} people get on a {things}.",), "{k} groups of {n} people are {sum}."),
    ),
    moves=(
        Move("add", ("Then {n} people get on.", "At the next stop {n} more people get on.")),
        Move("subtract", ("Then {n} people get off.", "At the next stop {n} people get off.")),
        Move("add groups", ("{k} families of {n} people get on.",), "{k} families of {n} people are {sum}."),
        Move("subtract groups", ("{k} teams of {n} people get off.",), "{k} teams of {n} people are {sum}."),
        Move("share", ("In the next town only {half} of them stay on.",)),
        Move("times", ("In the next town so many get on that there are {times} as many.",)),
    ),
    ends=(
        Move(
            "change",
            ("The {things} has {n} seats.",),
            now="So {sum} seats are free.",
            question="How many seats are free now?",
            solution="There are {answer} seats free.",
        ),
    ),
    now=("Now {sum} people are on the {things}.", "That makes {sum} people.", "So there are {sum} people on it."),
    question="How many people are on the {things} now?",
    solution="There are {answer} people on the {things}.",
)

WORK = Scene(
    "work",
    ("toys", "cups", "candles", "shirts", "loaves", "chairs", "baskets", "boxes", "pies", "kites"),
    starts=(
        Move(
            "start groups",
            ("{who} makes {n} {things} an hour and works for {k} hours.",),
            "In {k} hours {she} makes {sum} {things}.",
        ),
        Move("start", ("{who} makes {n} {things} on the first day.",)),
    ),
    moves=(
        Move("add", ("{other} makes {n} more.", "The next day {she} makes {n} more {things}.")),
        Move("subtract", ("{n} of them break.", "{She} sells {n} {things}.")),
        Move(
            "add groups",
            ("Then {she} works {k} more hours and makes {n} {things} an hour.",),
            "{k} hours with {n} {things} each give {sum}.",
        ),
        Move("subtract groups", ("{k} shops buy {n} {things} each.",), "{k} shops with {n} {things} each take {sum}."),
        Move("times", ("With a machine {she} soon has {times} as many.",)),
        Move("share", ("Rain spoils some of them, and only {half} are still good.",)),
    ),
    ends=(
        Move(
            "share",
            ("{She} puts them into {k} crates, the same number into each.",),
            now="In each crate are {sum} {things}.",
            question="How many {things} are in each crate?",
            solution="There are {answer} {things} in each crate.",
        ),
        Move(
            "left over",
            ("{She} sells them in packs of {k}, as many full packs as there are.",),
            "{whole} full packs of {k} take {sum}.",
            "Left over are {sum} {things}.",
            question="How many {things} are left over?",
            solution="There are {answer} {things} left over.",
        ),
    ),
    now=("That makes {sum} {things}.", "Now there are {sum} {things}.", "So {who} has {sum} {things}."),
    question="How many {things} are there in the end?",
    solution="There are {answer} {things} in the end.",
)

WAY = Scene(
    "way",
    ("km",),
    starts=(
        Move(
            "start groups", ("{who} walks {n} km an hour for {k} hours.",), "{k} hours at {n} km an hour are {sum} km."
        ),
        Move("start", ("{who} starts early and walks {n} km.",)),
    ),
    moves=(
        Move("add", ("Then {she} takes a bus for {n} km.", "After a rest {she} walks {n} km more.")),
        Move("subtract", ("{She} has to go {n} km back.",)),
        Move(
            "add groups",
            ("Then {she} rides a bike for {k} hours at {n} km an hour.",),
            "{k} hours at {n} km an hour are {sum} km.",
        ),
        Move("times", ("By the evening {she} is {times} as far from home.",)),
        Move("share", ("A friend drives {her} back until {she} is {half} of that way from home.",)),
    ),
    ends=(
        Move(
            "change",
            ("{other} lives on the same road, {n} km from where {who} began.",),
            now="The way that is left is {sum} km.",
            question="How many km are left to the house of {other}?",
            solution="There are {answer} km left to the house of {other}.",
        ),
    ),
    now=("Now {she} is {sum} km from home.", "So far that is {sum} km.", "That makes {sum} km."),
    question="How many km from home is {who} now?",
    solution="{who} is {answer} km from home.",
)

STORE = Scene(
    "store",
    ("oranges", "bottles", "eggs", "melons", "roses", "books", "candies", "bricks", "tickets", "pears"),
    starts=(
        Move("start", ("A store has {n} {things} in the morning.", "There are {n} {things} in a store.")),
        Move("start groups", ("A store has {k} shelves with {n} {things} each.",), "{k} shelves of {n} are {sum}."),
    ),
    moves=(
        Move("add", ("Then {n} more {things} are delivered.", "{who} brings {n} {things}.")),
        Move("subtract", ("{who} buys {n} {things}.", "Then {n} {things} are sold.")),
        Move("add groups", ("A truck brings {k} crates of {n} {things}.",), "{k} crates of {n} {things} are {sum}."),
        Move("subtract groups", ("{k} people buy {n} {things} each.",), "{k} people with {n} each take {sum}."),
        Move("share", ("By noon only {half} of them are left.",)),
        Move("times", ("In the evening the store has {times} as many.",)),
    ),
    ends=(
        Move(
            "share",
            ("The rest is put into {k} equal piles.",),
            now="In each pile are {sum} {things}.",
            question="How many {things} are in each pile?",
            solution="There are {answer} {things} in each pile.",
        ),
        Move(
            "left over",
            ("They are put into rows of {k}, as many full rows as there can be.",),
            "{whole} full rows of {k} take {sum}.",
            "Left over are {sum} {things}.",
            question="How many {things} are left over?",
            solution="There are {answer} {things} left over.",
        ),
    ),
    now=("Now the store has {sum} {things}.", "That makes {sum} {things}.", "So there are {sum} {things}."),
    question="How many {things} does the store have now?",
    solution="The store has {answer} {things} now.",
)

SCENES = (HAVE, SHOP, AGES, POINTS, RIDE, WORK, WAY, STORE)
