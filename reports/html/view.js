// Draws what can be pointed at, from the data in the page. Nothing is fetched.
let page = JSON.parse(document.getElementById('data').textContent);
// T is a message in the page's language.
const T = (id, ...args) => page.texts[id].replace(/\{(\d)\}/g, (_, i) => args[i]);
const NS = 'http://www.w3.org/2000/svg';
const scales = {
  's': [['min', 60, 600], ['s', 1], ['ms', 1e-3], ['µs', 1e-6], ['ns', 1e-9]],
  'B': [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10], ['B', 1]],
  'B/s': [['GB/s', 1e9], ['MB/s', 1e6], ['kB/s', 1e3], ['B/s', 1]],
  '1/s': [['G/s', 1e9], ['M/s', 1e6], ['k/s', 1e3], ['/s', 1]],
};
// scaleFor picks the unit in which v is easy to read: [name, factor].
const scaleFor = (v, unit) => {
  const list = scales[unit];
  if (!list) return [unit === '1' ? '' : unit, 1];
  return list.find(s => Math.abs(v) >= (s[2] || s[1])) || list[list.length - 1];
};
const digits = (v, n = 3) => v === 0 ? '0' : Number(v.toPrecision(n)).toLocaleString('en', { maximumFractionDigits: Math.max(0, n - 1 - Math.floor(Math.log10(Math.abs(v)))) }).replace('-', '−');
const quantity = (v, unit) => { const s = scaleFor(v, unit); return (digits(v / s[1]) + ' ' + s[0]).trim(); };

const make = (name, attrs, ...inner) => {
  const e = document.createElementNS(NS, name);
  for (const k in attrs) e.setAttribute(k, attrs[k]);
  for (const x of inner) e.append(x);
  return e;
};
const button = (text, pressed, act) => {
  const b = document.createElement('button');
  b.type = 'button'; b.textContent = text;
  if (pressed !== null) b.setAttribute('aria-pressed', pressed);
  b.onclick = () => act(b);
  return b;
};

// stops are what a keyboard works in an element, in order. What is drawn anew gets the
// focus back by its number.
const stops = e => [...e.querySelectorAll('button, select, summary')];

// A mark for each row, so that colour isn't all that tells rows apart.
const marks = [
  r => `M${-r},0a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0z`,
  r => `M${-r},${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
  r => `M0,${-1.3 * r}L${1.2 * r},${r}H${-1.2 * r}z`,
  r => `M0,${-1.4 * r}L${1.4 * r},0L0,${1.4 * r}L${-1.4 * r},0z`,
  r => `M0,${1.3 * r}L${1.2 * r},${-r}H${-1.2 * r}z`,
  r => `M${-r},${-r}L0,${-r / 3}L${r},${-r}L${r / 3},0L${r},${r}L0,${r / 3}L${-r},${r}L${-r / 3},0z`,
];

// axis maps values to pixels, with ticks where the values are.
const axis = (lo, hi, log, from, to) => {
  if (!(hi > lo)) { const d = Math.abs(lo) * 0.1 || 1; lo -= log ? 0 : d; hi = log ? hi * 1.1 : hi + d; if (log) lo /= 1.1; }
  const f = log ? Math.log10 : x => x;
  const a = f(lo), b = f(hi);
  const at = v => from + (f(v) - a) / (b - a) * (to - from);
  const ticks = [];
  if (log && b - a > 1) {
    const steps = b - a > 3 ? [1] : [1, 2, 5];
    for (let e = Math.floor(a); e <= b; e++) for (const m of steps) { const t = m * 10 ** e; if (t >= lo && t <= hi) ticks.push(t); }
  }
  if (ticks.length < 3) {
    ticks.length = 0;
    const raw = (hi - lo) / 6, p = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].find(m => m * p >= raw) * p;
    for (let t = Math.ceil(lo / step) * step; t <= hi * (1 + 1e-9); t += step) if (!log || t > 0) ticks.push(t);
  }
  return { at, ticks };
};

class View {
  constructor(article, run) {
    Object.assign(this, { article, run, metric: 0, kind: 'trials', log: false, off: new Set() });
    this.plot = article.querySelector('.plot');
    this.tip = article.querySelector('.tip');
    this.controls = article.querySelector('.controls');
    this.log = !!(run.metrics[0] && run.metrics[0].log);
    this.build();
    this.draw();
    const csv = article.querySelector('.csv');
    csv.hidden = false;
    csv.onclick = () => this.save();
  }
  kinds() {
    const m = this.run.metrics[this.metric];
    const out = [['trials', T('page.trials')], ['order', T('page.order')], ['share', T('page.cumulative')]];
    if ((this.run.parts || []).some(p => p.of === m.name)) out.push(['parts', T('page.parts')]);
    return out;
  }
  build() {
    const c = this.controls, run = this.run, at = stops(c).indexOf(document.activeElement);
    c.replaceChildren();
    if (!run.metrics.length) return;
    c.hidden = false;
    if (run.metrics.length > 1) {
      const s = document.createElement('select');
      s.setAttribute('aria-label', T('page.drawn'));
      run.metrics.forEach((m, i) => { const o = new Option(m.title, i); o.selected = i === this.metric; s.append(o); });
      s.onchange = () => { this.metric = +s.value; this.log = !!run.metrics[this.metric].log; this.build(); this.draw(); };
      c.append(s);
    }
    if (!this.kinds().some(k => k[0] === this.kind)) this.kind = 'trials';
    for (const [kind, text] of this.kinds()) c.append(button(text, kind === this.kind, () => { this.kind = kind; this.build(); this.draw(); }));
    c.append(button(T('page.log'), this.log, () => { this.log = !this.log; this.build(); this.draw(); }));
    const rows = document.createElement('span');
    rows.className = 'rows';
    run.rows.forEach((r, i) => {
      if (r.notRun) return;
      const b = button(r.label, !this.off.has(i), () => { this.off.has(i) ? this.off.delete(i) : this.off.add(i); this.build(); this.draw(); });
      const key = make('svg', { width: 14, height: 14, viewBox: '-7 -7 14 14', 'aria-hidden': 'true' }, make('path', { d: marks[r.mark % marks.length](5), fill: r.color }));
      b.prepend(key, ' ');
      rows.append(b);
    });
    // Many rows would push the plot out of sight.
    if (run.rows.length > 8) {
      const d = document.createElement('details'), s = document.createElement('summary');
      s.textContent = T('page.rows', rows.children.length - this.off.size, rows.children.length);
      d.className = 'rowset'; d.open = !!this.unfolded;
      d.ontoggle = () => { this.unfolded = d.open; };
      d.append(s, rows);
      c.append(d);
    } else c.append(rows);
    if (at >= 0) stops(c)[at].focus();
  }
  // shown lists the rows that are drawn, with their counted points.
  shown() {
    const m = this.run.metrics[this.metric];
    return this.run.rows.map((row, i) => ({ row, i, points: (m.points[i] || []), stat: m.stats[i] }))
      .filter(x => !x.row.notRun && !this.off.has(x.i) && x.points.length);
  }
  draw() {
    const run = this.run, m = run.metrics[this.metric];
    this.tip.textContent = '';
    if (!m) { this.plot.textContent = this.article.querySelector('.figure img') ? '' : T('page.nothing'); return; }
    const shown = this.shown();
    const values = shown.flatMap(x => x.points.map(p => p.v));
    if (!values.length) { this.plot.textContent = T('page.no-row'); return; }
    const log = this.log && values.every(v => v > 0);
    // Emulation is no measure: its rows have a panel of their own, whatever the axis, as
    // in the pictures.
    const panels = [false, true].map(e => shown.filter(x => !!x.row.emulated === e)).filter(g => g.length);
    this.plot.replaceChildren(...panels.flatMap(g => this.panel(m, g, log)));
  }
  // panel draws rows on one axis: all of them are emulated, or none is.
  panel(m, shown, log) {
    const values = shown.flatMap(x => x.points.map(p => p.v));
    let lo = Math.min(...values), hi = Math.max(...values);
    if (!log && (lo > 0 && lo < hi / 3 || this.kind === 'parts')) lo = 0;
    const pad = log ? 1.05 : (hi - lo) * 0.03;
    if (log) { lo /= pad; hi *= pad; } else { if (lo !== 0) lo -= pad; hi += pad; }
    const [unit, factor] = scaleFor(Math.max(Math.abs(lo), Math.abs(hi)), m.unit);
    const wide = this.plot.clientWidth > 640;
    const W = Math.max(340, Math.min(960, this.plot.clientWidth || 860));
    const svg = make('svg', { viewBox: `0 0 ${W} 10`, role: 'group', 'aria-label': T('page.plot-of', m.title, shown.length, values.length) });
    const many = log && hi / lo > 300;
    const state = { many, svg, m, shown, log, lo, hi, unit, factor, W, wide };
    const height = this[this.kind === 'parts' ? 'drawParts' : this.kind === 'order' ? 'drawOrder' : this.kind === 'share' ? 'drawShare' : 'drawTrials'](state);
    svg.setAttribute('viewBox', `0 0 ${W} ${height}`);
    this.walk(svg);
    if (!shown[0].row.emulated) return [svg];
    const hatch = make('pattern', { id: 'hatch', width: 8, height: 8, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, make('path', { d: 'M0,0V8', class: 'grid' }));
    svg.prepend(hatch);
    svg.prepend(make('rect', { width: W, height: height - 44, fill: 'url(#hatch)' }));
    const note = document.createElement('p');
    note.className = 'small';
    note.textContent = T('page.emulated');
    return [note, svg];
  }
  text(svg, x, y, s, anchor = 'start', cls = '') {
    svg.append(make('text', { x, y, 'text-anchor': anchor, class: cls }, s));
  }
  title(s, unit) { return unit && s.unit ? T('page.in-unit', s.m.title, s.unit) : s.m.title; }
  // xAxis draws the value axis below and returns the mapping.
  xAxis(s, left, bottom, top = 8) {
    const ax = axis(s.lo, s.hi, s.log, left, s.W - 16);
    let last = -99;
    for (const t of ax.ticks) {
      const x = ax.at(t), label = s.many ? quantity(t, s.m.unit) : digits(t / s.factor, 4);
      s.svg.append(make('line', { x1: x, x2: x, y1: top, y2: bottom, class: 'grid' }));
      if (x - last < 14 + label.length * 7) continue;
      this.text(s.svg, x, bottom + 17, label, 'middle', 'soft');
      last = x;
    }
    this.text(s.svg, s.W - 16, bottom + 36, this.title(s, !s.many) + (s.log ? T('page.logarithmic') : '') + (s.m.better ? T(s.m.better === 'lower' ? 'page.lower' : 'page.higher') : ''), 'end', 'soft');
    return ax;
  }
  point(s, x, y, row, p) {
    const tainted = p.t && p.t.length;
    const e = make('path', {
      d: marks[row.mark % marks.length](p.w ? 3 : 4), transform: `translate(${x},${y})`, class: 'point', tabindex: -1, role: 'img',
      fill: tainted || p.w ? 'none' : row.color, 'fill-opacity': 0.65, stroke: row.color, 'stroke-width': p.w ? 1 : 1.5, 'stroke-dasharray': p.w ? '2 2' : 'none',
    });
    const words = [T('page.point', row.label, p.n, quantity(p.v, s.m.unit))];
    if (p.w) words.push(T('page.warmup'));
    if (tainted) words.push(T('page.disturbed', p.t.map(t => this.run.taints[t]).join(', ')));
    e.setAttribute('aria-label', words.join('; '));
    const say = () => { this.tip.textContent = words.join('; ') + '.'; };
    e.onmouseenter = say; e.onfocus = say; e.onclick = () => e.focus();
    s.svg.append(e);
  }
  labels(s, x, y, row) {
    if (s.wide) this.text(s.svg, x - 10, y + 4, row.label, 'end');
    else this.text(s.svg, 4, y - 17, row.label);
  }
  drawTrials(s) {
    const left = s.wide ? 16 + 7.6 * Math.max(...s.shown.map(x => x.row.label.length)) : 8, step = s.wide ? 56 : 66;
    const bottom = 8 + step * s.shown.length, ax = this.xAxis(s, left, bottom);
    s.shown.forEach((x, k) => {
      const y = 8 + step * (k + 0.5) + (s.wide ? 0 : 8);
      this.labels(s, left, y, x.row);
      x.points.forEach((p, j) => this.point(s, ax.at(p.v), y + (((j * 7) % 11) - 5) * 1.9, x.row, p));
      const st = x.stat;
      if (!st) return;
      const ink = 'var(--ink)';
      if (st.groups && st.groups.length) {
        for (const g of st.groups) s.svg.append(make('path', { d: `M${ax.at(g)},${y - 17}v34`, stroke: ink, 'stroke-width': 2.5 }));
        return;
      }
      s.svg.append(make('path', { d: `M${ax.at(st.lo)},${y}H${ax.at(st.hi)}M${ax.at(st.lo)},${y - 6}v12M${ax.at(st.hi)},${y - 6}v12`, stroke: ink, 'stroke-width': 1.8, fill: 'none', 'stroke-dasharray': st.range ? '4 3' : 'none' }));
      s.svg.append(make('path', { d: marks[3](5), transform: `translate(${ax.at(st.median)},${y})`, fill: ink, stroke: 'var(--paper)', 'stroke-width': 1.2 }));
    });
    return bottom + 44;
  }
  drawOrder(s) {
    const left = 66, bottom = 340, ns = s.shown.flatMap(x => x.points.map(p => p.n));
    const ay = axis(s.lo, s.hi, s.log, bottom, 10), ax = axis(Math.min(...ns), Math.max(...ns), false, left + 8, s.W - 12);
    for (const t of ay.ticks) {
      s.svg.append(make('line', { x1: left, x2: s.W - 8, y1: ay.at(t), y2: ay.at(t), class: 'grid' }));
      this.text(s.svg, left - 6, ay.at(t) + 4, s.many ? quantity(t, s.m.unit) : digits(t / s.factor, 4), 'end', 'soft');
    }
    for (const t of ax.ticks) if (Number.isInteger(t)) this.text(s.svg, ax.at(t), bottom + 17, String(t), 'middle', 'soft');
    this.text(s.svg, s.W - 12, bottom + 36, T('page.in-order', this.title(s, true)), 'end', 'soft');
    for (const x of s.shown) for (const p of x.points) this.point(s, ax.at(p.n), ay.at(p.v), x.row, p);
    return bottom + 44;
  }
  drawShare(s) {
    const left = 50, bottom = 300, ax = this.xAxis(s, left, bottom), ay = f => bottom - f * (bottom - 14);
    for (const f of [0, 0.25, 0.5, 0.75, 1]) {
      s.svg.append(make('line', { x1: left, x2: s.W - 16, y1: ay(f), y2: ay(f), class: 'grid' }));
      this.text(s.svg, left - 6, ay(f) + 4, f * 100 + ' %', 'end', 'soft');
    }
    for (const x of s.shown) {
      const ps = x.points.filter(p => !p.w).sort((a, b) => a.v - b.v);
      if (!ps.length) continue;
      let d = `M${ax.at(ps[0].v)},${ay(0)}`;
      ps.forEach((p, i) => { d += `H${ax.at(p.v)}V${ay((i + 1) / ps.length)}`; });
      s.svg.append(make('path', { d: d + `H${s.W - 16}`, fill: 'none', stroke: x.row.color, 'stroke-width': 2, 'stroke-dasharray': x.row.emulated ? '6 3' : 'none' }));
      ps.forEach((p, i) => this.point(s, ax.at(p.v), ay((i + 1) / ps.length), x.row, p));
    }
    return bottom + 44;
  }
  drawParts(s) {
    const parts = this.run.parts.filter(p => p.of === s.m.name && s.shown.some(x => x.i === p.row));
    if (!parts.length) return 20;
    s.many = false; s.lo = 0; s.hi = Math.max(...parts.map(p => p.whole)); s.log = false;
    [s.unit, s.factor] = scaleFor(s.hi, s.m.unit);
    const left = s.wide ? 16 + 7.6 * Math.max(...parts.map(p => this.run.rows[p.row].label.length)) : 8, step = 58;
    const bottom = 8 + step * parts.length, ax = this.xAxis(s, left, bottom);
    parts.forEach((p, k) => {
      const y = 8 + step * k + 20;
      this.labels(s, left, y + 12, this.run.rows[p.row]);
      let at = 0;
      for (const part of p.parts) {
        const x = ax.at(at), w = Math.max(0.5, ax.at(at + part.value) - x);
        const e = make('rect', { x, y, width: w, height: 26, fill: part.color, stroke: 'var(--paper)', class: 'point', tabindex: -1, role: 'img' });
        const words = T('page.part', this.run.rows[p.row].label, part.name, quantity(part.value, s.m.unit), quantity(p.whole, s.m.unit), digits(100 * part.value / p.whole, 2));
        e.setAttribute('aria-label', words);
        e.onmouseenter = e.onfocus = () => { this.tip.textContent = words + '.'; };
        s.svg.append(e);
        if (w > part.name.length * 7.5) s.svg.append(make('text', { x: x + w / 2, y: y + 18, 'text-anchor': 'middle', style: 'fill:#000;pointer-events:none' }, part.name));
        at += part.value;
      }
    });
    return bottom + 44;
  }
  // walk lets the keyboard move among the points: one of them is a tab stop.
  walk(svg) {
    const points = [...svg.querySelectorAll('.point')];
    if (!points.length) return;
    points[0].setAttribute('tabindex', 0);
    svg.onkeydown = e => {
      const i = points.indexOf(document.activeElement);
      const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: points.length - 1 }[e.key];
      if (i < 0 || to === undefined || !points[to]) return;
      e.preventDefault();
      points[i].setAttribute('tabindex', -1);
      points[to].setAttribute('tabindex', 0);
      points[to].focus();
    };
  }
  save() {
    // A spreadsheet takes what begins with = + - @ for a formula.
    const cell = v => { let t = String(v); if (/^[=+\-@\t\r]/.test(t) && isNaN(t)) t = "'" + t; return /[",\n]/.test(t) ? '"' + t.replaceAll('"', '""') + '"' : t; };
    const lines = ['row,metric,unit,trial,value,warmup,disturbed'];
    for (const m of this.run.metrics) m.points.forEach((ps, i) => (ps || []).forEach(p =>
      lines.push([this.run.rows[i].label, m.name, m.unit, p.n, p.v, !!p.w, (p.t || []).map(t => this.run.taints[t]).join(' ')].map(cell).join(','))));
    const a = document.createElement('a');
    a.href = URL.createObjectURL(new Blob([lines.join('\n') + '\n'], { type: 'text/csv' }));
    a.download = this.run.scenario + '.csv';
    a.click();
    URL.revokeObjectURL(a.href);
  }
}
