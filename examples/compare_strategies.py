"""One question under every strategy, at the same budget."""

from elastic_reasoning import STRATEGIES, Budget, Options, ask, load

engine = load("mini")
question = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
for strategy in STRATEGIES:
    options = Options(answer_tokens=4) if strategy == "s1" else Options()
    trace = ask(engine, question, Budget(24, 20), strategy, options)
    tokens = f"thinking {trace.num_thinking_tokens:3}  solution {trace.num_solution_tokens:2}"
    print(f"{strategy:14} {tokens}  {trace.solution_text}")
