"""Tables of notebooks say where each cell is aligned."""

import pandas as pd

from hcrlib.notebook import tables


def cells(table, kind="td"):
    """[(style, text)] of a table's cells."""
    parts = table.data.split(f'<{kind} style="')[1:]
    return [tuple(part.split(f"</{kind}>")[0].split('">', 1)) for part in parts]


def test_facts_are_names_and_values_to_the_left():
    assert [style for style, _ in cells(tables.facts({"train": 3, "test": 1}))] == 4 * ["text-align: left;"]
    shown = tables.facts({"train": 54_000, "accuracy": 0.956, "classes": ["0", 1], "of": "a<b"})
    assert "<td>" not in shown.data
    assert [(style, text.strip()) for style, text in cells(shown)] == [
        ("text-align: left;", text)
        for text in ("train", "54,000", "accuracy", "0.956", "classes", "0, 1", "of", "a&lt;b")
    ]


def test_a_grid_has_text_to_the_left_and_numbers_to_the_right_in_one_line():
    rows = [{"what": "a b", "n": 1000, "MB": 0.5}]
    for given in (rows, pd.DataFrame(rows)):
        shown = tables.grid(given, floatfmt=".2f")
        left, right = "text-align: left;", "text-align: right; white-space: nowrap;"
        assert [(style, text.strip()) for style, text in cells(shown)] == [
            (left, "a b"),
            (right, "1,000"),
            (right, "0.50"),
        ]
        assert [(style, text.strip()) for style, text in cells(shown, "th")] == [
            (left, "what"),
            (right, "n"),
            (right, "MB"),
        ]
        assert shown.data.startswith('<div style="overflow-x: auto;">')


def test_what_was_not_measured_is_a_dash_and_integers_stay_integers():
    shown = tables.grid(pd.DataFrame({"bytes": [10605, 2], "ms": [0.5, None]}), floatfmt=".2f").data
    assert "nan" not in shown
    assert ">–" in shown
    assert "10,605" in shown
