# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the page looks on a screen and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; --line: #c9c9c9; --soft: #f4f4f2; --ink: #1b1b1b; --faint: #5b5b5b; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.5rem 4rem; background: #fff; color: var(--ink);
  overflow-wrap: anywhere; font: 1rem/1.5 "Liberation Sans", Arial, Helvetica, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; border-bottom: 2px solid var(--ink); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 0 0 .3rem; }
section > h3 { margin-top: 1.2rem; }
p { margin: .4rem 0; max-width: 48rem; }
.faint { color: var(--faint); }
.state { display: inline-block; margin: .5rem 0; padding: .25rem .8rem; border: 2px solid; border-radius: .3rem;
  font-weight: bold; }
.complete { color: #14532d; } .failed { color: #8f1010; } .rehearsal { color: #7a4300; }
.code, code, pre { font-family: "Liberation Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.sum { font-size: 1.1rem; line-height: 1.6; display: grid; gap: 0 .8em;
  grid-template-columns: repeat(8, max-content); }
.attributes { columns: 2; column-gap: 2rem; margin: .4rem 0; }
.attributes div { break-inside: avoid; display: flex; justify-content: space-between;
  border-top: 1px dotted var(--line); }
pre { background: var(--soft); border: 1px solid var(--line); padding: .6rem .8rem; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: .85rem; margin: .4rem 0; }
table { border-collapse: collapse; width: 100%; margin: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .22rem .8rem .22rem 0; }
th { font-weight: normal; color: var(--faint); width: 13rem; }
table.files { font-size: .72rem; line-height: 1.35; } table.files td { padding: .08rem .6rem .08rem 0; }
table.files td.code { white-space: nowrap; }
pre.show { background: none; border: 0; padding: 0; margin: .2rem 0 0; }
.box { border: 1px solid var(--line); border-radius: .3rem; padding: .8rem 1rem; margin: .8rem 0; }
.compare { border: 2px solid var(--ink); }
.tick { float: right; border: 2px solid var(--ink); width: 1.4rem; height: 1.4rem; margin-left: .8rem; }
ol.steps { list-style: none; padding: 0; margin: 0; }
ol.steps > li { border-top: 1px solid var(--line); padding: .6rem 0; display: grid; grid-template-columns: 2.4rem 1fr; }
ol.steps > li.bad { border-left: 4px solid #8f1010; padding-left: .6rem; }
.number { color: var(--faint); }
.did { font-weight: bold; }
.sign { display: grid; grid-template-columns: 14rem 1fr 9rem; gap: 1.2rem; align-items: end; margin: 1.9rem 0 0; }
.sign div { border-bottom: 1px solid var(--ink); min-height: 1.6rem; }
.sign div:first-child { border: 0; }
@media (max-width: 40rem) {
  body { padding: 1rem; }
  th { width: 9rem; }
  .sum { grid-template-columns: repeat(4, max-content); }
  .attributes { columns: 1; }
  table.files td.code { white-space: normal; }
  .sign { grid-template-columns: 1fr; gap: .6rem; }
}
@media print {
  @page { size: A4; margin: 16mm 15mm 18mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { break-after: avoid; }
  .box, ol.steps > li, .sign, tr { break-inside: avoid; }
  .paper { break-before: page; }
}
"""
