/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plots as SVG: one or two curves over the last minutes with a scale and a cursor, and small
 * ones without either. A sample is {t, values}, t in milliseconds; NaN is a gap.
 */

const NS = 'http://www.w3.org/2000/svg';
const LEFT = 46;
const BOTTOM = 18;
const TOP = 6;

function svg(name, attributes, parent) {
    const it = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) it.setAttribute(key, value);
    if (parent) parent.append(it);
    return it;
}

/* The end of a scale: a round number that is not below `most`, and so is its half. */
export function roundCount(most) {
    const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
    return [1, 2, 3, 4, 6, 8, 10].map((n) => n * power).find((it) => it >= most);
}

/* The same in seconds, minutes, hours or days. */
export function roundDuration(most) {
    const units = [[1, 100], [60, 60], [3600, 48], [86400, Infinity]];
    const [unit] = units.find(([size, end]) => most <= size * end);
    return unit * roundCount(most / unit);
}

/* "M…L…" through the points, begun anew after each gap. */
function line(points) {
    let path = '';
    let open = false;
    for (const [x, y] of points) {
        if (Number.isNaN(y)) {
            open = false;
            continue;
        }
        path += `${open ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
        open = true;
    }
    return path;
}

/* The surface below, one for each stretch without a gap. */
function area(points, floor) {
    const foot = ([x]) => `L${x.toFixed(1)} ${floor}`;
    const stretches = [[]];
    for (const point of points)
        if (Number.isNaN(point[1])) stretches.push([]);
        else stretches.at(-1).push(point);
    return stretches
        .filter((it) => it.length > 1)
        .map((it) => `${line(it)}${foot(it.at(-1))}${foot(it[0])}Z`)
        .join('');
}

/* A plot in `place`. `names` are those of the curves, `format` makes text of a value, `round`
 * makes the end of the scale of the largest. draw() takes the samples, the oldest first. */
export class Plot {
    constructor(place, { names, format, round, span }) {
        Object.assign(this, { place, names, format, round, span, samples: [], cursor: NaN });
        this.svg = svg('svg', { role: 'img' }, place);
        this.legend = document.createElement('div');
        this.legend.className = 'legend';
        place.append(this.legend);
        place.addEventListener('pointermove', (event) => this.point(event));
        place.addEventListener('pointerleave', () => this.point(null));
        new ResizeObserver(() => this.draw(this.samples)).observe(place);
    }

    point(event) {
        this.cursor = event ? event.clientX - this.place.getBoundingClientRect().left : NaN;
        this.draw(this.samples);
    }

    /* The sample below the cursor, or the last. */
    shown(x) {
        if (Number.isNaN(this.cursor)) return this.samples.at(-1);
        const far = (it) => Math.abs(x(it.t) - this.cursor);
        return this.samples.reduce((a, b) => (far(b) < far(a) ? b : a), this.samples[0]);
    }

    tell(sample) {
        const spans = this.names.map((name, i) => {
            const span = document.createElement('span');
            const value = document.createElement('b');
            value.textContent = sample ? this.format(sample.values[i]) : '–';
            span.append(document.createElement('i'), name ? `${name} ` : '', value);
            return span;
        });
        this.legend.replaceChildren(...spans);
        const said = spans.map((it) => it.textContent).join(', ');
        this.svg.setAttribute('aria-label', said);
    }

    scale(width, floor, most) {
        for (let i = 0; i <= 2; i++) {
            const y = floor - ((floor - TOP) * i) / 2;
            svg('line', { class: 'grid', x1: LEFT, x2: width, y1: y, y2: y }, this.svg);
            const text = svg('text', { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' }, this.svg);
            text.textContent = this.format((most * i) / 2);
        }
        for (const [part, anchor] of [[0, 'start'], [0.5, 'middle'], [1, 'end']]) {
            const x = LEFT + (width - LEFT) * part;
            const text = svg('text', { x, y: floor + 15, 'text-anchor': anchor }, this.svg);
            const minutes = (this.span * (1 - part)) / 60000;
            text.textContent = minutes > 0 ? `${minutes} min ago` : 'now';
        }
    }

    draw(samples) {
        const { width, height } = this.place.getBoundingClientRect();
        if (width < LEFT || height < 2 * BOTTOM) return;
        this.samples = samples;
        this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
        this.svg.replaceChildren();
        const floor = height - BOTTOM;
        const end = samples.length ? samples.at(-1).t : Date.now();
        const finite = samples.flatMap((it) => it.values).filter((it) => it >= 0);
        const most = this.round(Math.max(0, ...finite));
        const x = (t) => width - ((end - t) / this.span) * (width - LEFT);
        const y = (value) => floor - (value / most) * (floor - TOP);
        this.scale(width, floor, most);
        this.names.forEach((name, i) => {
            const points = samples.map((it) => [x(it.t), y(it.values[i])]);
            if (i === 0) svg('path', { class: 'area', d: area(points, floor) }, this.svg);
            const look = i === 0 ? 'curve' : 'curve second';
            svg('path', { class: look, d: line(points) }, this.svg);
        });
        const shown = this.shown(x);
        if (shown && !Number.isNaN(this.cursor)) {
            const at = x(shown.t);
            svg('line', { class: 'cursor', x1: at, x2: at, y1: TOP, y2: floor }, this.svg);
        }
        this.tell(shown);
    }
}

/* A small curve of the values, or nothing while there is none to see. */
export function spark(values, width = 84, height = 20) {
    const viewBox = `0 0 ${width} ${height}`;
    const it = svg('svg', { class: 'spark', viewBox, 'aria-hidden': true });
    const most = Math.max(1e-9, ...values.filter((value) => value >= 0));
    const step = width / Math.max(values.length - 1, 1);
    const points = values.map((value, i) => [i * step, height - 2 - (value / most) * (height - 4)]);
    if (values.some((value) => value > 0)) svg('path', { d: line(points) }, it);
    return it;
}
