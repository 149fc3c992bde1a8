"""The shortest program: one question, cut thinking, a reserved solution."""

from elastic_reasoning import ask, load

engine = load("mini-e1")
trace = ask(engine, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", budget="16+20")
print(trace.num_thinking_tokens, trace.budget_hit, trace.solution_text)
