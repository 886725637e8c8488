/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Straight lines through samples, by least squares: does it grow, and how sure is that?
 *
 *   const line = fit(times, values)       {slope, error, at(t)}; slope and error are per second
 *   trend(times, values)                  the same through the means of up to 60 slices
 *
 * A sample a second is like the one before, which would make the error of the slope look smaller
 * than it is; means of slices are less so. With an error of twice `error` either way, a slope that
 * may as well be 0 is no growth.
 */
'use strict';

const SLICES = 60;

const mean = (values) => values.reduce((sum, it) => sum + it, 0) / values.length;

function fit(xs, ys) {
    const [mx, my] = [mean(xs), mean(ys)];
    const sxx = xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
    const sxy = xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i] - my), 0);
    const slope = sxx > 0 ? sxy / sxx : 0;
    const at = (x) => my + slope * (x - mx);
    const rest = ys.reduce((sum, y, i) => sum + (y - at(xs[i])) ** 2, 0);
    const error = xs.length > 2 && sxx > 0 ? Math.sqrt(rest / (xs.length - 2) / sxx) : Infinity;
    return { slope, error, at };
}

function trend(xs, ys) {
    const size = Math.max(1, Math.ceil(xs.length / SLICES));
    const [mx, my] = [[], []];
    for (let i = 0; i < xs.length; i += size) {
        mx.push(mean(xs.slice(i, i + size)));
        my.push(mean(ys.slice(i, i + size)));
    }
    return fit(mx, my);
}

module.exports = { fit, trend, mean };
