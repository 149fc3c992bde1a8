from elastic_reasoning.tasks.fingerprint import fingerprint, words


def test_words_are_the_same_in_every_layout() -> None:
    one = r"Let $z_n = \frac{1}{2}$ for $n \neq 3, 4, \dots$; find $\left(a+b\right)$."
    two = "let $z_{n}=\\dfrac{1}2$  for\n$n \\not= 3,4, \\ldots$ — find (a + b)"
    assert words(one) == words(two)
    assert fingerprint(one) == fingerprint(two)
    assert len(fingerprint(one)) == 16


def test_words_differ_where_problems_do() -> None:
    assert fingerprint(r"$\sin 30$") != fingerprint(r"$\cos 30$")
    assert fingerprint("2 and 3") != fingerprint("23")
    assert fingerprint("Größe") != fingerprint("Größen")
    assert words("") == words("$+$") == []
