from elastic_reasoning.analysis.equal_tokens import at_equal_tokens
from elastic_reasoning.report.equal_tokens import cell_text, equal_token_tables, is_certain, lines_of
from elastic_reasoning.report.page import render_page
from elastic_reasoning.report.results import Results
from make_records import make_manifest, make_records

POINTS = at_equal_tokens(make_records(12, 2, ("8+20", "24+20", "64+20")))


def test_each_model_has_a_table_with_the_reference_first() -> None:
    tables = lines_of(POINTS)
    assert [lines[0].name for _, lines in tables] == ["mini/elastic", "mini-e1/elastic"]
    for tokens, lines in tables:
        assert list(tokens) == ["8+20", "24+20", "64+20"]
        assert [line.name.partition("/")[2] for line in lines][:3] == ["elastic", "vanilla", "s1"]
        assert all(line.cells.keys() == tokens.keys() for line in lines)


def test_a_cell_says_accuracy_or_difference_and_where_less_was_spent() -> None:
    for _, lines in lines_of(POINTS):
        assert all(cell_text(point).endswith("%") for point in lines[0].cells.values())
        assert not any(is_certain(point) for point in lines[0].cells.values())
    others = [point for point in POINTS if not point.is_reference]
    assert any(is_certain(point) for point in others)
    assert all(("*" in cell_text(point)) == (point.spent < point.tokens - 0.5) for point in others)
    assert cell_text(None) == ""
    assert not is_certain(None)


def test_the_terminal_and_the_page_have_it_where_there_is_something_to_compare() -> None:
    assert len(equal_token_tables(POINTS, 200)) == 3
    assert len(equal_token_tables(POINTS, 40)) > 3
    assert equal_token_tables([]) == []
    records = make_records(4, 1, ("8+20", "24+20"))
    page = render_page(Results.of(make_manifest(4), records))
    assert 'id="equal-tokens"' in page
    assert "mini/vanilla" in page
    alone = Results.of(make_manifest(4), [r for r in records if r.strategy == "elastic"])
    assert 'id="equal-tokens"' not in render_page(alone)
