"""The lineage as it is walked and drawn: nothing lies on anything, nothing is left out."""

from hypothesis import given
from hypothesis import strategies as st

from mlstrata.environments import load
from mlstrata.services.catalog.build import build
from mlstrata.services.catalog.graph import HEIGHT, LETTERS, WIDTH, around, draw, ends
from mlstrata.services.catalog.model import Edge, Node, NodeKind
from mlstrata.services.catalog.sources import Sources
from tests.support.catalog import ROOT

EMPTY = build(load(ROOT / "environments/local.yaml"), Sources())
nodes = st.lists(
    st.builds(
        lambda kind, name: Node(id=f"{kind}:{name}", kind=kind, label=name),
        st.sampled_from(list(NodeKind)),
        st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=40),
    ),
    min_size=1,
    max_size=15,
    unique_by=lambda node: node.id,
)


@st.composite
def graphs(draw_from):
    found = draw_from(nodes)
    ids = st.sampled_from([node.id for node in found])
    edges = draw_from(st.lists(st.builds(Edge, source=ids, target=ids), max_size=20, unique=True))
    return found, edges


@given(graphs())
def test_every_node_has_a_place_of_its_own_inside_the_drawing(graph):
    found, edges = graph
    drawing = draw(found, edges)
    assert {box.node.id for box in drawing.boxes} == {node.id for node in found}
    assert len(drawing.lines) == len(edges)
    for at, one in enumerate(drawing.boxes):
        assert 0 <= one.x <= drawing.width - WIDTH
        assert 0 <= one.y <= drawing.height - HEIGHT
        assert len(one.label) <= LETTERS
        for other in drawing.boxes[at + 1 :]:
            assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT


@given(graphs())
def test_kinds_stand_in_their_order_from_left_to_right(graph):
    drawing = draw(*graph)
    order = list(NodeKind)
    for one in drawing.boxes:
        for other in drawing.boxes:
            assert (one.x < other.x) == (order.index(one.node.kind) < order.index(other.node.kind))


@given(graphs(), st.data())
def test_what_is_around_a_node_leads_to_it_or_from_it_and_has_both_ends(graph, data):
    found, edges = graph
    catalog = EMPTY.model_copy(update={"nodes": tuple(found), "edges": tuple(edges)})
    node = data.draw(st.sampled_from(found)).id
    near, between = around(catalog, node)
    ids = {one.id for one in near}
    assert node in ids
    assert ids == {node} | ends(catalog, node, upstream=True) | ends(catalog, node, upstream=False)
    assert {end for edge in between for end in (edge.source, edge.target)} <= ids
    for other in ids - {node}:
        assert node in ends(catalog, other, upstream=True) | ends(catalog, other, upstream=False)
