/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin page: asks /status every two seconds, keeps the last five minutes, and shows them.
 * Rates are differences of two answers. Everything that comes is put in as text.
 */
import { Plot, roundCount, roundDuration, spark } from './plot.js';

const EVERY_MS = 2000;
const SPAN_MS = 5 * 60000;
const PATIENCE_MS = 5000;
const ROWS = 50;
const SPARK = 40;
const LATE_S = 10;
const STATES = ['hot', 'reading', 'queued', 'waiting', 'missing', 'idle'];

const $ = (id) => document.getElementById(id);

/* ---- text ---- */

function count(n) {
    if (!Number.isFinite(n)) return '–';
    if (n >= 1e9) return `${(n / 1e9).toFixed(2)} G`;
    if (n >= 1e6) return `${(n / 1e6).toFixed(2)} M`;
    if (n >= 1e4) return `${(n / 1e3).toFixed(1)} k`;
    return n >= 100 || Number.isInteger(n) ? `${Math.round(n)}` : n.toFixed(1);
}

function duration(s) {
    if (!Number.isFinite(s)) return '–';
    if (s === 0) return '0 s';
    if (s < 10) return `${s.toFixed(1)} s`;
    if (s < 120) return `${Math.round(s)} s`;
    if (s < 7200) return `${Math.round(s / 60)} min`;
    return s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

function bytes(n) {
    const units = ['B', 'KB', 'MB', 'GB', 'TB'];
    let i = 0;
    for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
    return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

/* An element with a class, and texts or elements in it. */
function make(name, look, ...inside) {
    const it = document.createElement(name);
    if (look) it.className = look;
    it.append(...inside);
    return it;
}

/* ---- what was said, and what that is a second ---- */

const history = []; /* {t, values: [delivered/s, read/s], lag}                             */
const rates = new Map(); /* of "rule NAME", "source NAME", "all": {t, count, rate, past}   */

function rate(key, t, value) {
    const before = rates.get(key);
    const now = { t, count: value, rate: NaN, past: before ? before.past : [] };
    if (before && value >= before.count && t > before.t)
        now.rate = ((value - before.count) * 1000) / (t - before.t);
    now.past.push(now.rate || 0);
    if (now.past.length > SPARK) now.past.shift();
    rates.set(key, now);
    return now.rate;
}

/* What is told no more is forgotten. */
function forget(t) {
    for (const [key, it] of rates) if (it.t !== t) rates.delete(key);
    while (history.length && history[0].t < t - SPAN_MS) history.shift();
}

const most = (list, of) => list.reduce((a, it) => Math.max(a, of(it)), 0);
const sum = (list, of) => list.reduce((a, it) => a + of(it), 0);

function remember(said, t) {
    const read = sum(said.sources, (it) => rate(`source ${it.name}`, t, it.rows) || 0);
    const ok = rate('all', t, said.totals.ok);
    for (const it of said.rules) rate(`rule ${it.name}`, t, it.ok);
    const last = history.at(-1);
    if (last && t - last.t > 3 * EVERY_MS)
        history.push({ t: t - 1, values: [NaN, NaN], lag: [NaN] });
    history.push({
        t,
        values: [ok, Number.isNaN(ok) ? NaN : read],
        lag: [most(said.rules, (it) => it.lag_s)],
    });
    forget(t);
}

/* ---- at a glance ---- */

function tile(name, figure, unit, note, tone) {
    const it = $(`tile-${name}`);
    it.replaceChildren(figure, make('small', '', unit));
    it.dataset.tone = tone || '';
    $(`note-${name}`).textContent = note;
}

function showTiles(said, troubles) {
    const { values } = history.at(-1);
    const late = said.rules.reduce((a, it) => (it.lag_s > (a ? a.lag_s : 0) ? it : a), null);
    const rows = sum(said.rules, (it) => it.lag_rows);
    const letters = sum(said.rules, (it) => it.dead_letters);
    const untold = sum(said.sources, (it) => it.troubles_more);
    const bad = troubles.some((it) => it.tone === 'bad');
    const [age, unit] = duration(late ? late.lag_s : 0).split(' ');
    tile('delivered', count(values[0]), 'a second', `${count(said.totals.ok)} since the start`);
    tile('lag', age, unit, late ? `${late.name}, ${count(rows)} changes wait` : 'nothing waits');
    const first = troubles.length ? troubles[0].who : 'all is well';
    const tone = troubles.length ? (bad ? 'bad' : 'warn') : '';
    tile('trouble', count(troubles.length + untold), '', first, tone);
    tile('letters', count(letters), '', letters
        ? `${count(said.totals.dead)} since the start` : 'none is kept', letters ? 'warn' : '');
}

/* ---- troubles ---- */

function gather(said) {
    const list = [];
    const add = (tone, who, why, since) => list.push({ tone, who, why, since });
    if (said.store.state !== 'ok')
        add('bad', 'State directory', said.store.reason, said.store.for_s);
    for (const it of said.rules)
        if (it.reason) add(it.state === 'held' ? 'bad' : 'warn', `Rule ${it.name}`,
            `${it.state === 'held' ? 'held' : 'retrying'}: ${it.reason}`);
    for (const source of said.sources) {
        if (source.updates.reason)
            add('warn', `Source ${source.name}`, `no list of changes: ${source.updates.reason}`);
        for (const it of source.troubles)
            add('warn', `${source.name}/${it.db}`, it.reason || it.state, it.for_s);
    }
    for (const group of said.documents) {
        if (group.reason) add('warn', `Documents ${group.group}`, group.reason);
        for (const it of group.invalid) add('warn', `${group.group}/${it.id}`, it.reason);
    }
    return list.sort((a, b) => (a.tone === b.tone ? 0 : a.tone === 'bad' ? -1 : 1));
}

function showTroubles(said, troubles) {
    const untold = sum(said.sources, (it) => it.troubles_more);
    const shown = troubles.slice(0, 20).map((it) => {
        const since = it.since === undefined ? '' : duration(it.since);
        const row = make('li', '', make('b', '', it.who), make('span', 'why', it.why),
            make('span', 'since', since));
        row.dataset.tone = it.tone;
        return row;
    });
    const more = troubles.length - shown.length + untold;
    if (more > 0) shown.push(make('li', '', make('span', 'soft', `and ${count(more)} more`)));
    $('trouble-list').replaceChildren(...shown);
    $('troubles').hidden = shown.length === 0;
}

/* ---- sources ---- */

function pair(term, text) {
    return make('div', '', make('dt', '', term), make('dd', '', text));
}

function showSource(source) {
    const bar = make('div', 'bar');
    const key = make('div', 'key');
    for (const state of STATES) {
        const n = source.streams[state];
        if (!n) continue;
        const part = make('i', state);
        part.style.flexGrow = n;
        bar.append(part);
        key.append(make('span', '', make('i', state), `${count(n)} ${state}`));
    }
    const it = rates.get(`source ${source.name}`);
    const all = make('span', 'unit', `${count(source.databases)} databases`);
    const head = make('h3', '', source.name, all);
    const sweep = source.sweep.finished_s_ago;
    return make('article', 'card', head, make('div', 'where', source.url || source.path), bar, key,
        make('dl', '',
            pair('Read', `${count(it.rate)} rows/s`),
            pair('In all', bytes(source.row_bytes)),
            pair('Broken feeds', count(source.feed_failures)),
            pair('Requests', `${source.connections.running} of ${source.connections.max}`),
            pair('Updates', source.updates.state),
            pair('Sweep', source.sweep.state === 'idle' && sweep !== undefined
                ? `${duration(sweep)} ago` : source.sweep.state)));
}

function showGroup(group) {
    const invalid = group.invalid.length + group.invalid_more;
    const head = make('h3', '', group.group, make('span', 'unit', group.state));
    return make('article', 'card', head,
        make('div', 'where', `${group.source}/${group.database}`),
        make('dl', '', pair('Rules', count(group.rules)), pair('Invalid', count(invalid))));
}

/* ---- rules ---- */

const columns = [
    { head: 'Rule', key: 'name', look: 'text name' },
    { head: 'Plugin', key: 'plugin', look: 'text soft less' },
    { head: 'State', key: 'state', look: 'text' },
    { head: 'A second', key: 'rate' },
    { head: '', look: 'least' },
    { head: 'Lag', key: 'lag_s' },
    { head: 'Waiting', key: 'lag_rows', look: 'least' },
    { head: 'In flight', key: 'in_flight', look: 'less' },
    { head: 'Retrying', key: 'retrying', look: 'less' },
    { head: 'Delivered', key: 'ok', look: 'less' },
    { head: 'Dead letters', key: 'dead_letters', look: 'least' },
];

const view = { sort: 'trouble', down: true, filter: '', rows: ROWS, said: null };

/* Those that need somebody first, then the late ones, then those that have done most: an order
 * that does not change with every look. */
function trouble(it) {
    const state = it.state === 'held' ? 2 : it.retrying > 0 ? 1 : 0;
    const late = it.lag_s < LATE_S ? 0 : Math.min(Math.round(it.lag_s / LATE_S), 1e5);
    return state * 1e15 + late * 1e9 + Math.min(it.ok, 1e9 - 1);
}

function value(it, key) {
    if (key === 'rate') return rates.get(`rule ${it.name}`).rate || 0;
    return key === 'trouble' ? trouble(it) : it[key];
}

function compare(a, b) {
    const x = value(a, view.sort);
    const y = value(b, view.sort);
    const way = typeof x === 'string' ? x.localeCompare(y) : x - y;
    return (view.down ? -way : way) || a.name.localeCompare(b.name);
}

function cell(it, column) {
    const td = make('td', column.look || '');
    const amount = column.key && typeof value(it, column.key) === 'number' && value(it, column.key);
    if (column.key === 'state') {
        const dot = make('span', 'dot');
        dot.dataset.state = it.state === 'running' && it.retrying ? 'warn' : it.state;
        td.append(dot, it.state === 'running' && it.retrying ? 'retrying' : it.state);
    } else if (column.key === 'lag_s') td.append(it.lag_rows ? duration(it.lag_s) : '–');
    else if (!column.key) td.append(spark(rates.get(`rule ${it.name}`).past));
    else if (typeof amount === 'number') td.append(count(amount));
    else td.append(it[column.key]);
    if (column.key === 'name') td.title = it.name;
    if (amount === 0) td.classList.add('zero');
    else if (column.key === 'dead_letters' || column.key === 'retrying') td.dataset.tone = 'warn';
    return td;
}

function showRules() {
    const { said } = view;
    const found = said.rules.filter((it) =>
        `${it.name} ${it.plugin} ${it.source} ${it.state}`.toLowerCase().includes(view.filter));
    const shown = found.sort(compare).slice(0, view.rows);
    $('rules').replaceChildren(
        ...shown.map((it) => make('tr', '', ...columns.map((column) => cell(it, column)))));
    const all = said.rules.length + said.rules_more;
    $('rules-count').textContent = view.filter ? `${found.length} of ${all}` : `${all}`;
    $('more').hidden = found.length <= shown.length;
    $('rules-empty').hidden = found.length > 0;
    $('rules-empty').textContent = all ? 'No rule matches.' : 'There are no rules.';
}

function showHeads() {
    $('heads').replaceChildren(...columns.map((column) => {
        const button = make('button', '', column.head);
        button.type = 'button';
        const th = make('th', column.look || '', ...(column.head ? [button] : []));
        if (column.key && column.key === view.sort)
            th.setAttribute('aria-sort', view.down ? 'descending' : 'ascending');
        button.addEventListener('click', () => sortBy(column.key));
        return th;
    }));
}

function sortBy(key) {
    const isText = key === 'name' || key === 'plugin' || key === 'state';
    view.down = view.sort === key ? !view.down : !isText;
    view.sort = key;
    showHeads();
    if (view.said) showRules();
}

/* ---- the whole ---- */

const plots = {
    rate: new Plot($('plot-rate'),
        { names: ['delivered', 'read'], format: count, round: roundCount, span: SPAN_MS }),
    lag: new Plot($('plot-lag'),
        { names: [''], format: duration, round: roundDuration, span: SPAN_MS }),
};

function setState(state, text) {
    document.body.dataset.state = state;
    $('chip').textContent = text;
}

function show(said) {
    const troubles = gather(said);
    const isOnce = said.state === 'running' && said.mode !== 'follow';
    setState(said.state, isOnce ? said.mode : said.state);
    $('about').textContent =
        `${said.version} · pid ${said.pid} · up ${duration(said.uptime_s)}`;
    showTiles(said, troubles);
    plots.rate.draw(history);
    plots.lag.draw(history.map((it) => ({ t: it.t, values: it.lag })));
    showTroubles(said, troubles);
    $('sources').replaceChildren(...said.sources.map(showSource));
    showRules();
    $('documents').hidden = said.documents.length === 0;
    $('groups').replaceChildren(...said.documents.map(showGroup));
}

async function look() {
    try {
        const answer = await fetch('/status', { signal: AbortSignal.timeout(PATIENCE_MS) });
        if (!answer.ok) throw new Error(await answer.text());
        const said = await answer.json();
        if (view.said && view.said.pid !== said.pid) rates.clear();
        view.said = said;
        remember(said, Date.now());
        show(said);
    } catch (error) {
        setState('lost', 'no answer');
        console.warn(`tailrace does not answer: ${error.message}`);
    }
}

/* A page that nobody sees asks nothing. */
async function watch() {
    if (!document.hidden) await look();
    setTimeout(watch, EVERY_MS);
}

$('filter').addEventListener('input', () => {
    view.filter = $('filter').value.toLowerCase();
    view.rows = ROWS;
    if (view.said) showRules();
});
$('more').addEventListener('click', () => {
    view.rows += 4 * ROWS;
    showRules();
});
showHeads();
watch();
