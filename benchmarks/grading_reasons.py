"""What was found on looking at each answer that the grader of mathematics judges otherwise than expected."""

# Why references of different rows that are written otherwise are accepted for one another.
ACCEPTED: dict[str, tuple[tuple[str, str], ...]] = {
    "the same value": (
        (r"\frac{1}{4}", r"\frac14"),
        ("$1/3$", r"$\frac{1}{3}$"),
        ("75", "075"),
        ("2", "+2"),
        ("$2n$", "$2 n$"),
        ("-2,1", "1,-2"),
        ("2,3,4", "2,4,3"),
    ),
    "a unit, a percent sign or the name before the equals sign left out": (
        ("120", r"120^\circ"),
        ("30", r"30^\circ"),
        ("36", r"36^\circ"),
        ("90", r"90^\circ"),
        ("36", r"\$36"),
        ("44", r"$44^{\circ}$"),
        ("45", r"$45^{\circ}$"),
        ("4", r"$4^{\circ}$"),
        ("8", r"$8 \%$"),
        ("5", "x=5"),
        ("3", "$k=3$"),
        ("1", "$k=1$"),
        ("1", "$f(x)=1$"),
    ),
    "the brackets left out around the same members in the same order": (("(-2,1)", "-2,1"),),
    "the same function; its variable has another name": ((r"$f(z)=z$", r"$f(n)=n$"),),
}

# Why our grade is not the recorded one: in which rows, who is right, and why.
WRONG, LENIENT, DAMAGED = "the recorder is wrong", "the recorder is more lenient", "the reference kept is damaged"
REASONS: tuple[tuple[str, str, str, str], ...] = (
    ("math500", DAMAGED, r"the reference was \text{east}; the text was lost", "97"),
    ("math500", DAMAGED, "the reference was (a+5)(b+2); its letters were lost, in the answer too", "102"),
    ("math500", WRONG, "a closed interval is not an open one", "184"),
    ("olympiadbench", WRONG, "the function is the same, with or without the name before it", "11 81"),
    ("olympiadbench", WRONG, "one of two solutions is missing from the answer", "68"),
    ("olympiadbench", WRONG, "a number was taken for its hundredth, as if one were a percentage", "78 290"),
    ("olympiadbench", WRONG, "the inequality says the same as the interval", "132"),
    ("olympiadbench", WRONG, "the same members in another order", "120 160 207 260 556"),
    ("olympiadbench", WRONG, "the same members; the word between them was lost", "126 216 226 237 301"),
    ("olympiadbench", WRONG, r"the same members, written with \pm", "154"),
    ("olympiadbench", WRONG, "the same function; the reference lost the name of it", "204"),
    ("olympiadbench", LENIENT, "rounded to four digits; we ask for six where no finite decimal exists", "230"),
    ("olympiadbench", WRONG, "the pair in brackets holds the same numbers in the same order", "243"),
    ("olympiadbench", WRONG, "other pairs than those of the reference", "248"),
    ("olympiadbench", WRONG, "off by one, within the recorder's relative tolerance of 1e-4", "650"),
    (
        "minerva_math",
        LENIENT,
        "rounded reference; the answer has more digits, within the recorder's tolerance of 1e-4",
        "20",
    ),
    ("minerva_math", WRONG, "the same expression in another form", "41 72"),
    ("olympiadbench", WRONG, "the same function; its variable has another name", "101"),
    ("olympiadbench", WRONG, "the same solutions; the integer in them has another name", "269"),
    ("minerva_math", WRONG, "the same up to the names of constants of integration", "63 80 96 101"),
    ("minerva_math", WRONG, "the same with i as the imaginary unit", "85 88 108"),
    ("minerva_math", WRONG, "the same equation, solved for the derivative", "119"),
    ("minerva_math", WRONG, "the same where the symbols are positive", "109"),
    ("minerva_math", WRONG, "the current at time 0, written with an index", "86"),
    (
        "minerva_math",
        WRONG,
        "the same number; its e-notation was not read, or a unit was in the way",
        "1 5 10 13 15 37 43 129 135 136 166 175 178 179 194 197 218 223 232 236 263 265",
    ),
)
