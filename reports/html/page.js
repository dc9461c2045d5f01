// What is shown: one of the runs, those of folders that are dropped on the page, and, of a
// live page, what its own server has newer.
let articles = [...document.querySelectorAll('article.run')];
let views = [];
let shownRun = 0;
const show = i => {
  shownRun = i;
  articles.forEach((a, j) => { a.hidden = j !== i; });
  if (!views[i]) views[i] = new View(articles[i], page.runs[i]); else views[i].draw();
};
const choose = b => {
  document.querySelectorAll('.switch button').forEach(x => x.setAttribute('aria-pressed', x === b));
  show(+b.dataset.run);
};
document.querySelectorAll('.switch button').forEach(b => { b.onclick = () => choose(b); });
show(0);

// Pages of other folders come in by a drop, or a dialogue. Nothing of theirs is trusted:
// what is taken over are texts, in elements and attributes of this list alone.
const tags = /^(ARTICLE|SECTION|DIV|P|H[123]|UL|LI|B|SPAN|DETAILS|SUMMARY|TABLE|THEAD|TBODY|TR|TH|TD|DL|DT|DD|CODE|PRE|BUTTON|IMG)$/;
const tidy = n => {
  if (n.nodeType === Node.TEXT_NODE) return n.data;
  if (n.nodeType !== Node.ELEMENT_NODE || !tags.test(n.tagName)) return n.tagName === 'A' ? n.textContent : '';
  const e = document.createElement(n.tagName);
  for (const a of n.attributes) if (/^(class|role|scope|tabindex|alt|hidden|aria-[a-z]+)$/.test(a.name) || a.name === 'src' && a.value.startsWith('data:image/')) e.setAttribute(a.name, a.value);
  e.append(...[...n.childNodes].map(tidy));
  return e;
};
const added = [];
const place = ({ article, run }) => {
  articles.push(article);
  page.runs.push(run);
  document.querySelector('main').append(article);
};
const add = async (name, file) => {
  const other = new DOMParser().parseFromString(await file.text(), 'text/html');
  let runs = [];
  try { runs = JSON.parse(other.getElementById('data').textContent).runs; } catch { return; }
  [...other.querySelectorAll('article.run')].slice(0, runs.length).forEach((a, i) => {
    const one = { article: tidy(a), run: { ...runs[i], name: name || runs[i].name } };
    one.article.hidden = true;
    for (const e of one.article.querySelectorAll('.plot, .controls, .tip')) e.replaceChildren();
    added.push(one);
    place(one);
    let bar = document.querySelector('.switch');
    if (!bar) {
      bar = document.createElement('p');
      bar.className = 'switch';
      bar.setAttribute('role', 'group');
      bar.setAttribute('aria-label', T('page.folders'));
      document.querySelector('header').append(bar);
    }
    for (let j = bar.children.length; j < articles.length; j++) {
      const b = button(page.runs[j].name, j === shownRun, choose);
      b.dataset.run = j;
      bar.append(b);
    }
  });
};
// walkInto finds the pages in what was dropped: files, folders, folders of folders. The
// newer way to read folders also works in a page that no server sent, and isn't everywhere.
const walkInto = async (e, name) => {
  if (e.kind === 'file' || e.isFile) {
    if (/\.html$/.test(e.name)) await add(name, await (e.getFile ? e.getFile() : new Promise((yes, no) => e.file(yes, no))));
    return;
  }
  const inside = [];
  if (e.values) for await (const x of e.values()) inside.push(x);
  else for (let r = e.createReader(), some; (some = await new Promise((yes, no) => r.readEntries(yes, no))).length;) inside.push(...some);
  for (const x of inside.sort((a, b) => a.name < b.name ? -1 : 1)) await walkInto(x, e.name);
};
addEventListener('dragover', e => e.preventDefault());
addEventListener('drop', async e => {
  e.preventDefault();
  const items = [...e.dataTransfer.items].filter(i => i.kind === 'file');
  for (const x of await Promise.all(items.map(i => i.getAsFileSystemHandle ? i.getAsFileSystemHandle() : i.webkitGetAsEntry()))) await walkInto(x);
});
const more = document.getElementById('more');
more.hidden = false;
more.onclick = () => {
  const input = Object.assign(document.createElement('input'), { type: 'file', multiple: true, accept: '.html' });
  input.onchange = async () => { for (const f of input.files) await add('', f); };
  input.click();
};

// A live page asks for itself anew when its server says so, and keeps what the
// reader has chosen: the run, the plot, the rows, what is unfolded.
const renew = async () => {
  const text = await (await fetch('/')).text();
  const next = new DOMParser().parseFromString(text, 'text/html');
  const open = articles.map(a => [...a.querySelectorAll('details')].map(d => d.open));
  const at = stops(document).indexOf(document.activeElement);
  const chosen = views.map(v => v && { metric: v.metric, kind: v.kind, log: v.log, off: v.off, unfolded: v.unfolded });
  document.querySelector('main').replaceWith(document.adoptNode(next.querySelector('main')));
  page = JSON.parse(next.getElementById('data').textContent);
  articles = [...document.querySelectorAll('article.run')];
  articles.forEach((a, i) => a.querySelectorAll('details').forEach((d, j) => { d.open = (open[i] || [])[j] || false; }));
  added.forEach(place);
  views = [];
  articles.forEach((a, j) => { a.hidden = j !== shownRun; });
  chosen.forEach((c, i) => {
    if (!c || !articles[i]) return;
    views[i] = new View(articles[i], page.runs[i]);
    if (page.runs[i].metrics[c.metric]) { Object.assign(views[i], c); views[i].build(); views[i].draw(); }
  });
  if (at >= 0) (stops(document)[at] || document.body).focus();
  document.documentElement.dataset.renewed = Number(document.documentElement.dataset.renewed || 0) + 1;
};
if (page.live) new EventSource('/events').addEventListener('page', renew);

let width = innerWidth;
addEventListener('resize', () => { if (innerWidth !== width) { width = innerWidth; views.forEach((v, i) => { if (!articles[i].hidden) v.draw(); }); } });
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach(d => { d.dataset.was = d.open; d.open = true; }));
addEventListener('afterprint', () => document.querySelectorAll('details').forEach(d => { d.open = d.dataset.was === 'true'; }));

const theme = document.getElementById('theme');
theme.hidden = false;
const prefersDark = matchMedia('(prefers-color-scheme: dark)');
const dark = () => (document.documentElement.dataset.theme || (prefersDark.matches ? 'dark' : 'light')) === 'dark';
const name = () => { theme.textContent = T(dark() ? 'page.light' : 'page.dark'); theme.setAttribute('aria-pressed', dark()); };
theme.onclick = () => { document.documentElement.dataset.theme = dark() ? 'light' : 'dark'; name(); };
prefersDark.addEventListener('change', name);
name();
