"""Names beside points: none over another, the one that must stand always there."""

from __future__ import annotations

from advisor.render.labels import Frame, placed

FRAME = Frame(270.0, 210.0, (1.0, 1e4), (1.0, 1e4))


def boxes(found):
    """Where names of 6.4 px a letter lie: left, top, right, bottom."""
    out = []
    for one in found:
        x, y = FRAME.at(one.x, one.y)
        wide = 6.4 * len(one.text)
        left = x + one.dx - {"right": wide, "center": wide / 2}.get(one.align, 0)
        out.append((left, y + one.dy - 7, left + 6.4 * len(one.text), y + one.dy + 7))
    return out


def meets(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_a_point_lies_where_its_logarithms_say():
    assert FRAME.at(100.0, 100.0) == (135.0, 105.0)


def test_names_do_not_meet_nor_run_out():
    wanted = [(f"8 × some device {i}", 10.0 * 1.1**i, 100.0) for i in range(12)]
    found = placed(wanted, 0, FRAME, [point[1:] for point in wanted])
    shown = boxes(found)
    assert 0 < len(found) < len(wanted), "there is no room for all"
    assert not [1 for i, a in enumerate(shown) for b in shown[:i] if meets(a, b)]
    assert all(left >= 0 and right <= FRAME.width for left, _, right, _ in shown)


def test_the_choice_is_named_whatever_else_there_is():
    crowd = [("another", 100.0, 100.0)] * 20
    found = placed([("the choice with quite a long name", 100.0, 100.0), *crowd], 1, FRAME, [])
    assert found[0].text.startswith("the choice")
    edge = placed(
        [("the choice with a name as long as the drawing is wide, and more", 9e3, 9e3)], 1, FRAME, []
    )
    assert len(edge) == 1
    assert not placed([("a name as long as the drawing is wide, and then more", 9e3, 9e3)], 0, FRAME, [])


def test_at_the_right_edge_a_name_stands_left_of_its_point():
    (found,) = placed([("8 × NVIDIA H100", 9e3, 100.0)], 1, FRAME, [])
    assert found.align == "right" and found.dx < 0


def test_names_one_below_the_other_have_air_between_them():
    wanted = [(f"8 × some device {i}", 100.0, 10.0 * 1.17**i) for i in range(30)]
    shown = boxes(placed(wanted, 0, FRAME, []))
    near = [abs(a[1] - b[1]) for i, a in enumerate(shown) for b in shown[:i] if a[0] < b[2] and b[0] < a[2]]
    assert len(shown) > 5 and min(near) >= 20
