from elastic_reasoning.report.figures.training import training_figure


def test_three_panels_with_what_was_logged() -> None:
    metrics = [{"step": n, "reward": n / 10, "thinking_tokens": 60.0 - n, "forced_rate": 0.5} for n in range(1, 6)]
    figure = training_figure(metrics, title="E1")
    figure.draw_without_rendering()
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.lines}
    assert lines.keys() == {"reward", "thinking", "thinking closed by force"}
    assert list(lines["reward"].get_xdata()) == [1, 2, 3, 4, 5]
    assert list(lines["thinking"].get_ydata()) == [59, 58, 57, 56, 55]


def test_nothing_logged_is_an_empty_figure() -> None:
    figure = training_figure([])
    figure.draw_without_rendering()
    assert not any(axes.lines for axes in figure.axes)
