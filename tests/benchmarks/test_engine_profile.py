from engine_profile import profile, told

from tiny import new_engine, request, tiny


def test_a_step_is_split_into_its_parts() -> None:
    engine = new_engine(tiny())
    found = profile("tiny", engine, [request(4, "40+4", sample=n) for n in range(3)], num_steps=2)
    assert found.columns == 4 - 1 + 4 + 1 + 2
    assert 0 <= found.launch_ms <= found.step_ms
    assert min(found.model_ms, found.draw_ms, found.prefill_ms) > 0
    assert told(found).startswith("tiny, as it is, 10 columns: step ")
