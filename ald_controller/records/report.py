"""The report of a run: one HTML file that needs nothing but itself. Made by `ald report RUN`, in its own process.

What the record does not hold is said in the place where it would stand; nothing is filled in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ald_controller.records.digest import ROUTINE, Digest, Spread, digest, ending_sentence, spread
from ald_controller.records.dose_figures import heights_figure, timing_figure
from ald_controller.records.doses import DoseRow
from ald_controller.records.figures import cycle_figure, missing, run_figure, table
from ald_controller.records.film_figures import film_figure
from ald_controller.records.folder import REPORT, RunHeader, counted, write_whole
from ald_controller.records.record import Event, open_run
from ald_controller.records.scales import clock, duration, number, quantile, short_time
from ald_controller.records.style import document, section
from ald_controller.stamp import VIRTUAL, iso

ROWS = 2_000  # of the dose table and of the events; the rest is in the journal
MARKS = {
    "completed": "✓", "stopped": "■", "aborted": "✕", "tripped": "▲", "interrupted": "◌", "running": "▸",
}  # fmt: skip


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run folder and return its path; raises RecordError without a readable run.json."""
    path = folder / REPORT
    write_whole(path, page(digest(open_run(folder))))
    return path


def page(d: Digest) -> str:
    """The whole report."""
    title = f"{d.header.title} · {d.record.ending or 'running'} · {d.header.run}"
    body = "".join([
        _header(d), _banners(d), _key_figures(d),
        section("One cycle, every cycle", cycle_figure(d)),
        section("The whole run", run_figure(d)),
        section("Film", film_figure(d)),
        section("Pulse heights", heights_figure(d)),
        section("Timing", timing_figure(d) + _start(d)),
        section("Doses", _doses(d)),
        section("What happened", _events(d)),
        section("Where this comes from", _provenance(d)),
    ])  # fmt: skip
    foot = (
        "Made from the run folder alone. The software is not a safety instrumented system; "
        "thickness is a prediction from the film table, not a measurement."
    )
    return document(title, body, foot)


# --- the head ------------------------------------------------------------------------------------------------------


def _header(d: Digest) -> str:
    h, ending = d.header, d.record.ending or "running"
    begin, end = h.start_utc, d.record.utc(h.start_s + d.length_s)
    film = f"{h.film} on {h.substrate}" if h.film else h.substrate
    until = iso(end)[11:19] if iso(end)[:10] == iso(begin)[:10] else iso(end)[:19].replace("T", " ")
    last = "last record" if h.ending is None else "ended"
    return (
        f'<header><div class="eyebrow"><b>{escape(h.tool_title)}</b> · run {h.number} · by {escape(h.who)}</div>'
        f'<div class="top"><div><h1>{escape(h.title)}</h1><p class="film">{escape(film)}</p></div>'
        f'<div class="ending"><div class="word {ending}"><span class="mark" aria-hidden="true">{MARKS[ending]}</span>'
        f"{ending}</div><p>{iso(begin)[:10]}, {iso(begin)[11:19]} – {until} UTC ({last})</p></div></div>"
        f'<p class="why">{escape(ending_sentence(d))}</p></header>'
    )


def _banners(d: Digest) -> str:
    out = []
    if d.header.simulated:
        out.append(("note", "Simulated", "No real tool took part: the devices, the pressures and the film are models."))
    if d.header.simulated is None:
        out.append(("note", "Real or simulated?", "The record does not say whether a real tool took part."))
    for more in d.header.extensions:
        told = f"{counted(more.turns)} of {more.repeat} more, {more.times} in all, by {more.by} after "
        out.append(
            ("note", "Extended", f"{told}{duration(more.at_s - d.header.start_s)}; plan.json is the first plan.")
        )
    if d.header.degraded_timing or d.record.summary.get("degraded_timing"):
        out.append(
            ("", "Degraded timing", "The valve process had no real-time priority; widths may be off by milliseconds.")
        )
    if (timing := d.header.valve_timing) and timing.warning:
        told = f"The valve process was woken late at its start ({timing.sentence}); doses may have been missed."
        out.append(("", "Late computer", told))
    if d.lost:
        out.append(("bad", "Incomplete record", f"{d.lost} entries were lost: the disk did not take them."))
    if d.record.ending == "interrupted":
        out.append(("", "No ending on record", "Up to five seconds of readings before the end may be missing."))
    out += [("bad", "Not readable", gap) for gap in d.gaps]
    return "".join(
        f'<div class="banner {style}" role="note"><b>{escape(name)}</b><span>{escape(words)}</span></div>'
        for style, name, words in out
    )


def _key_figures(d: Digest) -> str:
    h = d.header
    whole, confirmed, missed = sum(c.whole for c in d.cycles), d.count("confirmed"), d.count("missed")
    late = spread([e.late_s for e in d.edges])
    error = spread([dose.width_error_s for dose in d.doses if dose.width_error_s is not None])
    unneeded = d.count("not needed")
    other = len(d.doses) - confirmed - missed - unneeded
    edges_read = f"p99 of {number(late.n)} edges" if late else "no edges on record"
    doses_read = f"p99 of {number(error.n)} doses" if error else "no doses on record"
    rest = [f"{missed} missed"] * bool(missed) + [f"{other} cut or not given"] * bool(other)
    rest += [f"{unneeded} not needed to reach a pressure"] * bool(unneeded)
    cells = [
        ("Duration", duration(d.length_s), f"planned {duration(h.duration_s)}"),
        ("Cycles", f"{whole}<small> / {h.cycles}</small>", "given whole"),
        ("Doses", f"{confirmed}<small> / {h.doses}</small>", ", ".join(["confirmed", *rest])),
        ("Thickness", *_thickness(d, whole)),
        ("Edges late by", *_measured(h, late, edges_read)),
        ("Widths off by", *_measured(h, error, doses_read)),
    ]
    inner = "".join(f'<div><dt>{n}</dt><dd>{v}<span class="sub">{s}</span></dd></div>' for n, v, s in cells)
    return f'<dl class="figures">{inner}</dl>'


def _measured(header: RunHeader, facts: Spread | None, told: str) -> tuple[str, str]:
    """A figure of the wall clock; on virtual time nothing is ever late, and a zero would be a boast."""
    return ("–", "not measured: virtual time") if header.anchor.boot_id == VIRTUAL else (_p99(facts), told)


def _p99(facts: Spread | None) -> str:
    if facts is None:
        return "–"
    amount, unit = short_time(facts.p99).split(" ")
    return f"{amount}<small> {unit}</small>"


def _thickness(d: Digest, whole: int) -> tuple[str, str]:
    planned = d.header.thickness_nm
    if planned is None or not d.header.cycles:
        return "–", "no prediction for this film"
    if whole == d.header.cycles:
        return f"{planned:.1f}<small> nm</small>", "predicted"
    if " + " in d.header.film:  # one cycle of them is not as thick as the next
        return "–", f"of {number(planned)} nm predicted; which of its films are there is not worked out"
    reached = planned * whole / d.header.cycles
    return f"{reached:.1f}<small> nm</small>", f"predicted so far if cycles are alike, of {number(planned)} nm"


def _start(d: Digest) -> str:
    """What the valve process measured of its computer before the run; nothing where nothing did."""
    timing = d.header.valve_timing
    return f'<p class="lead">Valve timing at start: {timing.sentence}.</p>' if timing else ""


# --- tables --------------------------------------------------------------------------------------------------------


def _doses(d: Digest) -> str:
    if not d.doses:
        return missing("No dose is on record.")
    groups: dict[tuple[str, str, float], list[DoseRow]] = defaultdict(list)
    for dose in d.doses:
        groups[dose.precursor, dose.source, dose.commanded_s].append(dose)
    head = ("Precursor", "Valve", "Commanded", "Confirmed", "Missed", "Other", "Width, median", "Width, least – most",
            "Late, p99")  # fmt: skip
    summary = table(head, [_dose_group(*key, rows) for key, rows in groups.items()], frozenset(range(2, 9)))
    odd = [dose for dose in d.doses if dose.state not in ("confirmed", "not needed")]
    out = [summary]
    if odd:
        out.append(f"<h3>Doses that are not confirmed ({len(odd)})</h3>{_dose_rows(d, odd[:200])}")
    shown = d.doses[:ROWS]
    more = f"first {ROWS} of {len(d.doses)}; the rest is in journal.db" if len(d.doses) > ROWS else "in order"
    out.append(
        f'<details class="long"><summary>Every dose <small>{len(d.doses)}, {more}</small></summary>'
        f"{_dose_rows(d, shown)}</details>"
    )
    return "".join(out)


def _dose_group(precursor: str, source: str, commanded_s: float, rows: list[DoseRow]) -> list[str]:
    states = Counter(row.state for row in rows)
    widths = sorted(w for row in rows if (w := row.sent_width_s) is not None and row.state != "cut")
    late = spread([row.late_s for row in rows if row.late_s is not None])
    other = len(rows) - states["confirmed"] - states["missed"]
    least, middle, most = (_width(quantile(widths, share), commanded_s) if widths else "–" for share in (0.0, 0.5, 1.0))
    return [
        escape(precursor), escape(source), short_time(commanded_s), f"{states['confirmed']} of {len(rows)}",
        str(states["missed"]), str(other), middle, f"{least} – {most}", short_time(late.p99) if late else "–",
    ]  # fmt: skip


def _width(seconds: float, commanded_s: float) -> str:
    """A dose width to the microsecond where it is short: the third figure would hide what matters."""
    return f"{seconds * 1e3:.3f} ms" if commanded_s < 0.5 else f"{seconds:.4f} s"


def _dose_rows(d: Digest, doses: Sequence[DoseRow]) -> str:
    rows = [
        (
            str(dose.cycle or dose.part), escape(dose.precursor), escape(dose.source),
            clock(d.since_start(dose.at_s)) if dose.at_s is not None else "–", short_time(dose.commanded_s),
            _width(dose.sent_width_s, dose.commanded_s) if dose.sent_width_s is not None else "–",
            _width(dose.confirmed_width_s, dose.commanded_s) if dose.confirmed_width_s is not None else "–",
            short_time(dose.late_s) if dose.late_s is not None else "–", _state(dose.state),
        )
        for dose in doses
    ]  # fmt: skip
    head = ("Cycle", "Precursor", "Valve", "At, h:mm:ss", "Commanded", "Width sent", "Width confirmed", "Late", "State")
    return table(head, rows, frozenset({0, 3, 4, 5, 6, 7}))


def _state(state: str) -> str:
    sign, style = {"confirmed": ("✓", ""), "missed": ("✕", "bad"), "cut": ("◐", "bad")}.get(state, ("○", "odd"))
    return f'<span class="state {style}">{sign} {state}</span>'


def _events(d: Digest) -> str:
    listed = [e for e in d.events if e.kind not in ROUTINE]
    if not listed:
        return missing("No event is on record.")
    rows = [
        (clock(d.since_start(e.at_s)), iso(d.record.utc(e.at_s))[11:19], _kind(e.kind), _told(e)) for e in listed[:ROWS]
    ]
    counts = Counter(e.kind for e in d.events if e.kind in ROUTINE)
    steps = f"{counts['step']} steps and {counts['anchored']} segments began; they are in journal.db."
    more = f" The first {ROWS} of {len(listed)} are shown." if len(listed) > ROWS else ""
    return (
        table(("At, h:mm:ss", "UTC", "What", "Details"), rows, frozenset({0, 1}), "list")
        + f'<p class="lead">{steps}{more}</p>'
    )


_SIGNS = {
    "trip": ("▲", "bad"), "held": ("‖", "bad"), "missed": ("✕", "bad"), "abort": ("✕", "bad"),
    "records lost": ("✕", "bad"), "alarm": ("◆", "odd"), "timeout": ("◆", "odd"), "refused": ("◆", "odd"),
    "command": ("▸", ""),
}  # fmt: skip


def _kind(kind: str) -> str:
    sign, style = _SIGNS.get(kind, ("·", ""))
    return f'<span class="state {style}">{sign} {escape(kind)}</span>'


def _told(event: Event) -> str:
    fields = event.fields
    if event.kind == "missed" and "late_ns" in fields:
        return escape(
            f"cycle {fields.get('cycle')}: an opening {short_time(fields['late_ns'] * 1e-9)} late was not given"
        )
    if event.kind in ("trip", "alarm") and "text" in fields:
        return escape(f"{fields.get('row', '')}: {fields['text']}".lstrip(": "))
    return escape(", ".join(f"{k} {v}" for k, v in fields.items() if k not in ("at_ns",) and v not in ("", None)))


# --- provenance ----------------------------------------------------------------------------------------------------


def _provenance(d: Digest) -> str:
    h = d.header
    facts: list[tuple[str, str]] = [
        ("Run", escape(h.run)),
        ("Recipe", f"{escape(h.recipe)}<br>{_hash(h.recipe_hash)}"),
        ("Parameters", _pairs(h.parameters) or "none"),
        ("Bottles", _pairs(h.rack) or "none on record"),
        ("Substrate", escape(h.substrate) + (" (lithium limits)" if h.lithium else "")),
        ("Tool", f"{escape(h.tool)}<br>{_hash(h.tool_hash)}"),
        ("Started by", f"{escape(h.who)}, {escape(h.door)} door"),
        ("Software", _pairs(h.software) or "not on record"),
        (
            "Clock",
            f"{iso(h.anchor.utc_s)} = {h.anchor.monotonic_s:.3f} s of boot <code>{escape(h.anchor.boot_id)}</code>",
        ),
    ]
    moved = {name: f"{n:,}" for name, n in d.record.summary.get("actuations", {}).items()}
    facts += [("Valve actuations in this run", _pairs(moved))] * bool(moved)
    facts += [("Pre-flight warned", "<br>".join(map(escape, h.warnings)))] * bool(h.warnings)
    news = [warning for extension in h.extensions for warning in extension.warnings]
    facts += [("Warned when extended", "<br>".join(map(escape, news)))] * bool(news)
    facts += [("Pre-flight assumed", "<br>".join(map(escape, h.assumptions)))] * bool(h.assumptions)
    rows = "".join(f'<tr><td class="key">{name}</td><td>{value}</td></tr>' for name, value in facts)
    return (
        f"<table><tbody>{rows}</tbody></table>"
        + "".join(_paper(d, name, words) for name, words in _PAPERS if d.record.text(name) is not None)
        + "".join(
            missing(f"{name} is missing in the run folder.") for name, _ in _PAPERS if d.record.text(name) is None
        )
    )


_PAPERS = (
    ("recipe.yaml", "the recipe, as it was checked"),
    ("registers.yaml", "what the tool knew of itself at the start"),
    ("tool.yaml", "the tool"),
)


def _paper(d: Digest, name: str, words: str) -> str:
    content = escape(d.record.text(name) or "")
    return f"<details><summary>{name} <small>{words}</small></summary><pre>{content}</pre></details>"


def _hash(value: str) -> str:
    return f'<code class="hash">{escape(value)}</code>'


def _pairs(values: dict[str, str]) -> str:
    return " · ".join(f"{escape(name)} <b>{escape(str(value))}</b>" for name, value in values.items())
