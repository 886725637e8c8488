/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples as an SVG: a panel for each measure, one below the other over the same time, with the
 * range of each moment, its mean, and the line that was fitted after the warm-up.
 *
 *   plot({ title, minutes, warmUp, panels: [{ name, unit, times, values, line, note }] })
 */
'use strict';

const WIDTH = 960;
const LEFT = 92;
const RIGHT = 24;
const TOP = 72;
const PANEL = 118;
const GAP = 46;
const ACROSS = WIDTH - LEFT - RIGHT;
const BINS = 420;

const STYLE = `
    text { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: #444; }
    .title { font-size: 18px; font-weight: 600; fill: #222; }
    .name { font-size: 13px; font-weight: 600; fill: #222; }
    .note { fill: #777; }
    .grid { stroke: #e6e6e6; }
    .axis { stroke: #999; }
    .warm { fill: #f6f4ee; }
    .range { fill: #9cc3e6; opacity: .55; }
    .mean { fill: none; stroke: #1f6fb2; stroke-width: 1.5; stroke-linejoin: round; }
    .line { stroke: #c2571a; stroke-width: 1.5; stroke-dasharray: 7 4; }`;

const escape = (text) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
const at = (n) => n.toFixed(1);

/* Bytes by 1,024, in the unit that suits the largest. */
function scaleOf(unit, most) {
    if (unit !== 'bytes') return { by: 1, unit };
    const step = [1, 1024, 1024 ** 2].filter((size) => most >= size).pop() || 1;
    return { by: step, unit: { 1: 'B', 1024: 'KB' }[step] || 'MB' };
}

/* Round numbers, four or so, that hold all values; whole ones for what is counted. */
function ticksOf(low, high, whole) {
    const span = high - low || Math.abs(high) || 1;
    const rough = Math.max(span / 3, whole ? 1 : 0);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough);
    const ticks = [];
    const first = Math.floor(low / step);
    for (let i = first; i * step < high + step || ticks.length < 2; i++) ticks.push(i * step);
    return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

/* As many slices as can be seen, each with its least, most and mean. */
function binsOf(times, values, seconds) {
    const bins = [];
    times.forEach((time, i) => {
        const bin = Math.min(BINS - 1, Math.floor((time / seconds) * BINS));
        const it = (bins[bin] ||= { low: Infinity, high: -Infinity, sum: 0, count: 0, time: 0 });
        it.low = Math.min(it.low, values[i]);
        it.high = Math.max(it.high, values[i]);
        it.sum += values[i];
        it.time += time;
        it.count++;
    });
    return bins
        .filter(Boolean)
        .map((it) => ({ ...it, mean: it.sum / it.count, time: it.time / it.count }));
}

function timeAxis(minutes, x, y) {
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 240].find((n) => minutes / n <= 8) || 480;
    const marks = [];
    for (let m = 0; m <= minutes; m += step)
        marks.push(
            `<text x="${at(x(m * 60))}" y="${y + 18}" text-anchor="middle">${m}</text>`,
        );
    return marks.join('\n') + `\n<text x="${WIDTH - RIGHT}" y="${y + 36}" text-anchor="end" class="note">minutes</text>`;
}

function panelOf({ name, unit, times, values, line, note }, top, x, seconds, warmUp) {
    const scale = scaleOf(unit, Math.max(...values));
    const scaled = values.map((value) => value / scale.by);
    const { ticks, digits } = ticksOf(Math.min(...scaled), Math.max(...scaled), !unit);
    const [low, high] = [ticks[0], ticks[ticks.length - 1]];
    const y = (value) => top + PANEL - ((value - low) / (high - low)) * PANEL;
    const bins = binsOf(times, scaled, seconds);
    const points = (key) => bins.map((it) => `${at(x(it.time))},${at(y(it[key]))}`);
    const grid = ticks.map(
        (tick) =>
            `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(tick))}" y2="${at(y(tick))}"/>` +
            `<text x="${LEFT - 8}" y="${at(y(tick) + 4)}" text-anchor="end">${tick.toFixed(digits)}</text>`,
    );
    const end = times[times.length - 1];
    const fitted = line
        ? `<clipPath id="in-${top}"><rect x="${LEFT}" y="${top}" width="${ACROSS}" height="${PANEL}"/></clipPath>` +
          `<line class="line" clip-path="url(#in-${top})" x1="${at(x(warmUp))}" y1="${at(y(line.at(warmUp) / scale.by))}" x2="${at(x(end))}" y2="${at(y(line.at(end) / scale.by))}"/>`
        : '';
    const title = scale.unit ? `${name}, ${scale.unit}` : name;
    return [
        `<rect class="warm" x="${LEFT}" y="${top}" width="${at(x(warmUp) - LEFT)}" height="${PANEL}"/>`,
        ...grid,
        `<line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${top}" y2="${top + PANEL}"/>`,
        `<polygon class="range" points="${[...points('high'), ...points('low').reverse()].join(' ')}"/>`,
        `<polyline class="mean" points="${points('mean').join(' ')}"/>`,
        fitted,
        `<text class="name" x="${LEFT}" y="${top - 10}">${escape(title)}</text>`,
        `<text class="note" x="${WIDTH - RIGHT}" y="${top - 10}" text-anchor="end">${escape(note)}</text>`,
    ].join('\n');
}

function plot({ title, subtitle, seconds, warmUp, panels }) {
    const x = (time) => LEFT + (time / seconds) * ACROSS;
    const height = TOP + panels.length * (PANEL + GAP) + 24;
    const drawn = panels.map((panel, i) =>
        panelOf(panel, TOP + 24 + i * (PANEL + GAP), x, seconds, warmUp),
    );
    const bottom = TOP + 24 + panels.length * (PANEL + GAP) - GAP;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">
<style>${STYLE}
</style>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text class="title" x="${LEFT}" y="32">${escape(title)}</text>
<text class="note" x="${LEFT}" y="52">${escape(subtitle)}</text>
${drawn.join('\n')}
${timeAxis(seconds / 60, x, bottom)}
</svg>
`;
}

module.exports = { plot, scaleOf };
