"""Figures of a report as PNG and SVG, the same bytes for the same rows.

figure = accuracy_figure(summarise(records), title="Accuracy under separate budgets")
save_figure(figure, folder / "accuracy")
"""

from elastic_reasoning.report.figures.accuracy import accuracy_figure as accuracy_figure
from elastic_reasoning.report.figures.heat import heat_figure as heat_figure
from elastic_reasoning.report.figures.lengths import lengths_figure as lengths_figure
from elastic_reasoning.report.figures.look import save_figure as save_figure
