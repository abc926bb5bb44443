"""Every mark of a plot lies within it, and where its figure says."""

import re

from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.catalog.plots import LEFT, SPARK_HEIGHT, SPARK_WIDTH, WIDTH, Bar, course, plot

figures = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)
bars = st.builds(Bar, st.text(max_size=40), figures, st.none() | figures, st.none() | figures, st.none() | figures)


@given(st.lists(bars, min_size=1, max_size=6), st.booleans())
def test_all_that_is_drawn_lies_within(found, from_zero):
    drawn = plot(found, from_zero=from_zero)
    assert drawn is not None
    assert len(drawn.marks) == len(found)
    for mark, one in zip(drawn.marks, found, strict=True):
        for x in (mark.x, mark.low, mark.high, mark.limit, *((mark.begin, mark.end) if from_zero else ())):
            assert x is None or LEFT <= x <= WIDTH
        assert 0 < mark.y < drawn.floor
        assert (mark.limit is None) == (one.limit is None)
    assert all(LEFT <= x <= WIDTH for x, _ in drawn.ticks)


@given(st.lists(figures, min_size=2, max_size=6, unique=True))
def test_a_larger_figure_never_lies_further_left(values):
    drawn = plot([Bar("x", value) for value in sorted(values)], from_zero=False)
    places = [mark.x for mark in drawn.marks]
    assert places == sorted(places)


def test_nothing_to_draw_is_no_plot():
    assert plot([], from_zero=True) is None
    assert plot([Bar("x", float("nan"))], from_zero=True) is None
    assert course([(1.0, 2.0)], None) is None


def test_ticks_are_round():
    ticks = [text for _, text in plot([Bar("x", 0.61, 0.2)], from_zero=True).ticks]
    assert ticks == ["0", "0.2", "0.4", "0.6"]


@given(st.lists(st.tuples(st.floats(0, 1e9), figures), min_size=2, max_size=20, unique_by=lambda point: point[0]))
def test_a_course_lies_within_and_breaks_at_gaps(points):
    drawn = course(sorted(points), 1.0)
    places = [(float(x), float(y)) for x, y in re.findall(r"[ML](\S+) (\S+)", drawn.path)]
    assert len(places) == len(points)
    assert all(0 <= x <= SPARK_WIDTH and 0 <= y <= SPARK_HEIGHT for x, y in places)
    gap = course([(0, 1.0), (1, 1.0), (2, 1.0), (9, 1.0), (10, 1.0)], None)
    assert gap.path.count("M") == 2
