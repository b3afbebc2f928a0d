"""What must agree between a preview and a real run: every segment's words, and their offsets from its start."""

from __future__ import annotations

from ald_controller.records.record import RunRecord

SEGMENT_MASK = 0x7F  # sources and stop valve of deploy/tool.yaml; the bits above are not a segment's

Segments = list[tuple[int, int, str, tuple[tuple[int, int], ...]]]


def segments(record: RunRecord) -> Segments:
    """(half, cycle, label, ((offset in ns, word), …)) of every segment, in order, from a run's own record.

    Offsets are due times relative to the segment's anchor: absolute times differ between any two runs.
    """
    anchors = {int(e.fields["half"]): int(e.fields["at_ns"]) for e in record.events("anchored")}
    words: dict[int, list[tuple[int, int]]] = {}
    for edge in record.edges():
        words.setdefault(edge.half, []).append((edge.due_ns - anchors[edge.half], edge.word & SEGMENT_MASK))
    return [(i.half, i.cycle, i.label, tuple(words.get(i.half, []))) for i in record.intents()]
