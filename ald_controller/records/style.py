"""The look of a report: one sheet for screen and paper, light and dark, and the few lines of script for printing."""

from html import escape

CSS = """
:root{--paper:#fff;--wash:#f6f7f8;--ink:#1b222c;--muted:#5c6776;--hair:#e2e6ea;--axis:#9aa4b0;
--blue:#1f62a8;--orange:#b9520d;--green:#2a7a4b;--purple:#7449a0;--teal:#0f7a83;--pink:#b03a78;--red:#b3261e;
--amber:#8a5d00;--faint:rgba(31,98,168,.16);color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--paper:#14181e;--wash:#1c2129;--ink:#e4e8ee;--muted:#98a3b2;--hair:#29303a;
--axis:#5d6876;--blue:#6cb0f0;--orange:#f2a05c;--green:#6cc890;--purple:#c29be9;--teal:#56c6cf;--pink:#ef8fc0;
--red:#ff897f;--amber:#e2b445;--faint:rgba(108,176,240,.17)}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 "Inter","Segoe UI",system-ui,-apple-system,
"Helvetica Neue","Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums;-webkit-print-color-adjust:exact;
print-color-adjust:exact}
main{max-width:1104px;margin:0 auto;padding:40px 32px 80px}
h1{font-size:34px;line-height:1.15;letter-spacing:-.015em;font-weight:650;margin:6px 0 4px;text-wrap:balance}
h2{font-size:21px;letter-spacing:-.01em;font-weight:620;margin:44px 0 2px;padding-top:16px;border-top:1px solid var(--hair)}
h3{font-size:15px;font-weight:620;margin:28px 0 6px}
p{margin:4px 0 12px;max-width:78ch}
.lead{color:var(--muted);margin-bottom:18px}
.eyebrow{color:var(--muted);font-size:13px;letter-spacing:.01em}
.eyebrow b{font-weight:600;color:var(--ink)}
.top{display:grid;grid-template-columns:1fr auto;gap:24px 40px;align-items:end}
.film{font-size:17px;color:var(--muted);margin:0}
.ending{text-align:right}
.ending .word{font-size:34px;line-height:1.15;font-weight:700;letter-spacing:-.015em;white-space:nowrap}
.ending .mark{font-size:.8em;margin-right:.18em}
.ending p{margin:0;color:var(--muted);font-size:13px}
.completed{color:var(--green)}.stopped{color:var(--blue)}.running{color:var(--blue)}
.interrupted{color:var(--amber)}.aborted,.tripped{color:var(--red)}
.why{margin:18px 0 0;font-size:17px;max-width:none}
.banner{display:flex;gap:12px;align-items:baseline;margin:14px 0 0;padding:10px 14px;border-radius:6px;
background:var(--wash);border-left:4px solid var(--amber)}
.banner b{white-space:nowrap}.banner.bad{border-color:var(--red)}.banner.note{border-color:var(--blue)}
.figures{display:grid;grid-template-columns:repeat(6,1fr);margin:26px 0 0;border:1px solid var(--hair);border-radius:8px}
.figures div{padding:13px 16px 12px;border-left:1px solid var(--hair)}
.figures div:first-child{border-left:0}
.figures dt{font-size:12.5px;color:var(--muted)}
.figures dd{margin:0;font-size:23px;font-weight:620;letter-spacing:-.01em;line-height:1.3;white-space:nowrap}
.figures dd small{font-size:14px;font-weight:500;color:var(--muted);letter-spacing:0}
.figures .sub{font-size:12.5px;font-weight:400;letter-spacing:0;color:var(--muted);display:block;line-height:1.35}
figure{margin:14px 0 8px;overflow-x:auto}
figcaption{color:var(--muted);font-size:13px;max-width:92ch;margin-top:6px}
svg{display:block;width:100%;min-width:720px;height:auto;overflow:visible}
svg text{font-size:12px;fill:var(--ink);font-family:inherit}
svg .tick{fill:var(--muted);font-size:11.5px}svg .small{font-size:11px;fill:var(--muted)}
svg .heading{font-size:13px;font-weight:620}svg .unit{font-weight:400;fill:var(--muted)}
svg .label{font-weight:560}svg text.warn-name{fill:var(--amber);stroke:none;font-weight:400}svg text.limit-name{fill:var(--red);stroke:none;font-weight:400}svg .grid{stroke:var(--hair);stroke-width:1}svg .axis{stroke:var(--axis);stroke-width:1}
svg .line{fill:none;stroke-width:1.4;stroke-linejoin:round;stroke-linecap:round}
svg .thin{stroke-width:1;opacity:.16}svg .heavy{stroke-width:2}svg .dash{stroke-dasharray:5 4;stroke-width:1}svg .dot{stroke-dasharray:1.5 3;stroke-width:1.6}
.c1{stroke:var(--blue)}.c2{stroke:var(--orange)}.c3{stroke:var(--green)}.c4{stroke:var(--purple)}.c5{stroke:var(--teal)}
.c6{stroke:var(--pink)}.cx{stroke:var(--axis)}.cr{stroke:var(--red)}
svg text.c1,svg .fill.c1{fill:var(--blue);stroke:none}svg text.c2,svg .fill.c2{fill:var(--orange);stroke:none}
svg text.c3,svg .fill.c3{fill:var(--green);stroke:none}svg text.c4,svg .fill.c4{fill:var(--purple);stroke:none}
svg text.c5,svg .fill.c5{fill:var(--teal);stroke:none}svg text.c6,svg .fill.c6{fill:var(--pink);stroke:none}
svg .fill.cx{fill:var(--axis);stroke:none}svg text.cx{fill:var(--muted);stroke:none}svg text.cr{fill:var(--red);stroke:none}
svg .lane{fill:var(--wash)}svg .band{fill:var(--wash)}
svg .dots{fill:none;stroke-width:4.4;stroke-linecap:round;opacity:.75}
svg .limit{stroke:var(--red);stroke-width:1;stroke-dasharray:2 3}
svg .warn{stroke:var(--amber);stroke-width:1;stroke-dasharray:2 3}
svg .mark{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 3}
svg .flag{stroke:var(--red);stroke-width:1;opacity:.4}
svg .sign{fill:none;stroke-width:2.2;stroke:var(--muted)}svg .sign-trip{fill:var(--red);stroke:none}
svg .sign-alarm{fill:var(--amber);stroke:none}svg .sign-missed{stroke:var(--red)}svg .sign-held,svg .sign-abort{stroke:var(--red)}
svg .sign-command{fill:var(--blue);stroke:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;margin:6px 0 4px}
th{font-weight:560;color:var(--muted);text-align:left;font-size:12.5px;border-bottom:1px solid var(--axis);padding:5px 14px 5px 0;
vertical-align:bottom}
td{border-bottom:1px solid var(--hair);padding:5px 14px 5px 0;vertical-align:top}
.n{text-align:right;white-space:nowrap}.list .n,.list .n+td:not(.n){width:1%}.list td{padding-right:24px}.list th{padding-right:24px}th:last-child,td:last-child{padding-right:2px}
.state{white-space:nowrap;font-weight:560}.state.bad{color:var(--red)}.state.odd{color:var(--amber)}
.key{color:var(--muted);white-space:nowrap;width:1%;padding-right:28px}
code,pre{font-family:ui-monospace,"SF Mono","Cascadia Mono","DejaVu Sans Mono",Menlo,monospace;font-size:12.5px}
.hash{word-break:break-all}
pre{background:var(--wash);padding:14px 16px;border-radius:6px;overflow-x:auto;line-height:1.5;margin:8px 0}
details{border-bottom:1px solid var(--hair);padding:8px 0}
summary{cursor:pointer;font-weight:560}summary small{color:var(--muted);font-weight:400;margin-left:6px}
.missing{color:var(--muted);border-left:3px solid var(--hair);padding:6px 0 6px 14px}
.two{display:grid;grid-template-columns:1fr 1fr;gap:0 40px}
footer{margin-top:60px;color:var(--muted);font-size:13px;border-top:1px solid var(--hair);padding-top:14px}
@media (max-width:860px){main{padding:24px 16px 48px}.top,.two{grid-template-columns:1fr}.ending{text-align:left}
.figures{grid-template-columns:repeat(2,1fr)}}
@media print{:root{--paper:#fff;--wash:#f4f5f6;--ink:#111;--muted:#555;--hair:#ddd;--axis:#999;--blue:#1f62a8;--orange:#b9520d;
--green:#2a7a4b;--purple:#7449a0;--teal:#0f7a83;--pink:#b03a78;--red:#b3261e;--amber:#8a5d00}
main{max-width:none;padding:0}figure,tr,.figures{break-inside:avoid}h2,h3{break-after:avoid}body{font-size:12px}
h2{margin-top:30px}svg{min-width:0}}
"""

# What is folded on the screen is printed in full, but for the long dose table.
SCRIPT = """
addEventListener("beforeprint",()=>document.querySelectorAll("details:not(.long)").forEach(d=>d.open=true));
"""


def document(title: str, body: str, foot: str, more_css: str = "") -> str:
    """One page that needs nothing but itself; `title` and `foot` are plain words, `body` is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{CSS}{more_css}</style></head>'
        f"<body><main>{body}<footer>{escape(foot)}</footer></main><script>{SCRIPT}</script></body></html>"
    )


def section(name: str, content: str) -> str:
    """A part of a page under its heading; `content` is HTML already."""
    return f"<section><h2>{escape(name)}</h2>{content}</section>"
