// The flow scheme, as codec/schemes/flow: integer lifting, exact.

import { checkMatches, crc32 } from "./container.js";
import { Decoder, Tables } from "./entropy.js";
import { damaged } from "./errors.js";
import { levelWeights, qualityPosition } from "./quality.js";
import { STRIDE, boxes, cut, paste, positions, requireSegments } from "./tiling.js";

const COLOURS = ["y", "cg", "co"], PASSES = [[0, 0], [1, 1], [0, 1], [1, 0]];
const WHOLE_STEP = 256, MEAN_UNITS = 16, HALO = 8, STRIP = 2 ** 15, PIXEL_MAX = 255;
const TILE_SPLITS = 6, MARGIN = 4, HEAD = 3, GREY = 1, BASE_ROWS = [54, 42, 42], BASE_MAX = 2 ** 20;

export async function decode(header, segments, model) {
  const tiles = boxes(...positions(header)), flow = new FlowModel(model, header);
  requireSegments(segments, tiles.length === 1 ? 1 : 1 + tiles.length);
  const splits = 2 * model.file.settings.levels;
  if (tiles.length === 1) return interleaved(await decodeSegment(segments[0], wholeWindows(header, 0, splits), flow));
  const coarse = await decodeSegment(segments[0], wholeWindows(header, TILE_SPLITS, splits), flow);
  const rgb = new Uint8Array(header.width * header.height * 3);
  for (const [number, tile] of tiles.entries()) {
    const pixels = await decodeSegment(segments[number + 1], tileWindows(header, tile), flow, coarse);
    paste(interleaved(pixels), pixels.columns, { inner: tile }, rgb, header);
  }
  return rgb;
}

// --- windows: which pixels each split works on; spans are [start, end] --------------------------

// Rows and columns of the picture in front of a split.
function resolution({ width, height }, number) {
  const halved = (length, times) => Math.ceil(length / 2 ** times);
  return { rows: halved(height, number >> 1), columns: halved(width, number + 1 >> 1) };
}

function wholeWindows(header, first, end) {
  const whole = (number) => {
    const { rows, columns } = resolution(header, number);
    return { rows: [0, rows], columns: [0, columns] };
  };
  return Array.from({ length: end - first }, (_, i) => ({
    number: first + i, size: resolution(header, first + i), given: whole(first + i + 1),
    kept: whole(first + i), own: whole(first + i),
  }));
}

function tileWindows(header, tile) {
  const pixels = ([start, end], length) => [start * STRIDE, Math.min(end * STRIDE, length)];
  const half = ([start, end]) => [start >> 1, end + 1 >> 1];
  const halved = (box, number) => number % 2 ? { ...box, rows: half(box.rows) } : { ...box, columns: half(box.columns) };
  const widened = ([start, end], length) => [Math.max(0, start - MARGIN) & ~1, Math.min(length, end + MARGIN)];
  let own = { rows: pixels(tile.rows, header.height), columns: pixels(tile.columns, header.width) };
  const windows = [];
  for (let number = 0, kept = own; number < TILE_SPLITS; number++) {
    const { rows, columns } = resolution(header, number + 1), seen = halved(kept, number);
    const given = { rows: widened(seen.rows, rows), columns: widened(seen.columns, columns) };
    windows.push({ number, size: resolution(header, number), given, kept, own });
    kept = given;
    own = halved(own, number);
  }
  return windows;
}

// --- pictures: three planes of Int32Array, row by row -------------------------------------------

function picture(rows, columns) {
  return { rows, columns, planes: [0, 1, 2].map(() => new Int32Array(rows * columns)) };
}

function turned({ rows, columns, planes }) {
  const other = picture(columns, rows);
  planes.forEach((plane, c) => {
    for (let y = 0, i = 0; y < rows; y++) for (let x = 0; x < columns; x++) other.planes[c][x * rows + y] = plane[i++];
  });
  return other;
}

function part({ rows, columns, planes }, top, left, h, w) {
  return { rows: h, columns: w, planes: planes.map((plane) => cut(plane, 1, [rows, columns], [top, left], [h, w])) };
}

function interleaved({ planes: [r, g, b] }) {
  const rgb = new Uint8Array(3 * r.length);
  for (let i = 0, to = 0; i < r.length; i++) {
    rgb[to++] = r[i];
    rgb[to++] = g[i];
    rgb[to++] = b[i];
  }
  return rgb;
}

// y, cg, co to R, G, B.
function toRgb(y, cg, co) {
  const middle = y - (cg >> 1), b = middle - (co >> 1);
  return [b + co, middle + cg, b];
}

// Undoes a split: rows of means and details (R, G, B) to pairs of rows.
function merge(mean, d) {
  const x = picture(mean.rows + d.rows, mean.columns), w = mean.columns;
  for (let c = 0; c < 3; c++) {
    const [out, low, high] = [x.planes[c], mean.planes[c], d.planes[c]];
    for (let i = 0; i < high.length; i++) {
      const at = i + w * Math.floor(i / w), bottom = low[i] - (high[i] >> 1);
      out[at] = bottom + high[i];
      out[at + w] = bottom;
    }
    if (mean.rows > d.rows) out.set(low.subarray(high.length), 2 * high.length); // one without a partner
  }
  return x;
}

// --- networks -----------------------------------------------------------------------------------

class FlowModel {
  constructor(model, { lossless, quality }) {
    const { file } = model;
    Object.assign(this, { model, settings: file.settings });
    model.tables ??= new Tables(file.table("low"), file.table("size"), file.table("freq"));
    this.frequencies = model.tables;
    [this.steps, this.rowOffsets] = [file.table("step"), file.table("row_offset")];
    this.mostRows = file.table("threshold").length / 2 - 1;
    this.baseStep = lossless ? -1e6 : qualityPosition(this.settings.quality_map, quality);
  }

  stepIndex(number, colour) {
    const { colour_offset, steps_per_octave } = this.settings;
    const index = this.baseStep + colour_offset[colour] - Math.floor((number - 1) * steps_per_octave / 2);
    return Math.min(Math.max(index, 0), this.steps.length - 1);
  }

  // The table of a row where the mean lies so many 8ths of a step from the prediction.
  table(row, eighths) {
    const { fractions, split_rows } = this.settings;
    return row < split_rows ? row * fractions + Math.min(eighths, fractions - 1) : row + (fractions - 1) * split_rows;
  }

  // Outputs of a network, worked out in strips of rows, each { data, columns }; feeds are [planes, channels].
  async run(number, colour, turn, rows, columns, feeds) {
    const { kinds, gain_top, gain_levels } = this.settings;
    const top = Math.min(this.stepIndex(number, 0), gain_top);
    const mix = [levelWeights(Math.floor(top * (gain_levels - 1) * 256 / gain_top), gain_levels), 1, gain_levels];
    const role = `half${Math.min(number, kinds - 2 + number % 2)}_${COLOURS[colour]}${turn || ""}`;
    const step = Math.max(2, Math.floor(STRIP / columns / 2) * 2), every = turn ? 2 : 1, outputs = [];
    for (let start = 0; start < rows; start += step) {
      const first = Math.max(0, start - HALO), end = Math.min(rows, start + step + HALO), seen = { mix };
      for (const [name, [data, channels]] of Object.entries(feeds)) {
        const strip = cut(data, channels, [rows, columns], [first, 0], [end - first, columns]);
        seen[name] = [strip, 1, channels, end - first, columns];
      }
      for (const [i, data] of (await this.model.run(role, seen)).entries()) {
        const [, channels, h, w] = data.dims; // of a pass: the rows and columns of its positions alone
        const all = Math.ceil((rows - PASSES[turn][0]) / every), from = (start - first) / every;
        outputs[i] ??= { data: new Float32Array(channels * all * w), columns: w };
        const used = Math.min(h - from, step / every), strip = cut(data, channels, [h, w], [from, 0], [used, w]);
        for (let c = 0; c < channels; c++) {
          outputs[i].data.set(strip.subarray(c * used * w, (c + 1) * used * w), (c * all + start / every) * w);
        }
      }
    }
    return outputs;
  }
}

// --- segments -----------------------------------------------------------------------------------

// The picture of one segment; without the `coarse` picture behind its splits it begins with the base.
async function decodeSegment(data, windows, flow, coarse) {
  if (data.length < HEAD || data[0] & ~GREY) throw damaged("A segment does not begin as one");
  const grey = !!(data[0] & GREY), coder = new Decoder(data.subarray(HEAD));
  let x = coarse ?? base(windows.at(-1).given, grey, flow, coder);
  const first = windows.at(-1).given, size = ([start, end]) => end - start;
  if (coarse) x = part(x, first.rows[0], first.columns[0], size(first.rows), size(first.columns));
  for (const window of windows.toReversed()) {
    const { number } = window, upright = number % 2;
    const [down, across] = upright ? ["rows", "columns"] : ["columns", "rows"]; // even ones split columns
    if (!upright) x = turned(x);
    const [given, kept, own] = [window.given, window.kept, window.own];
    const pairs = Math.min(given[down][1], window.size[down] >> 1) - given[down][0];
    if (pairs > 0) {
      const coded = { // the positions whose details are coded
        rows: own[down].map((at) => (at >> 1) - given[down][0]),
        columns: own[across].map((at) => at - given[across][0]),
      };
      x = merge(x, await details(x, pairs, coded, number, grey, flow, coder));
    }
    x = part(x, kept[down][0] - 2 * given[down][0], kept[across][0] - given[across][0], size(kept[down]), size(kept[across]));
    if (!upright) x = turned(x);
  }
  coder.finish();
  if (!checkMatches(crc32(interleaved(x)), data, 1)) throw damaged("The pixels of a segment do not match their check");
  return x;
}

// The few pixels behind the coarsest split, each colour less the one to its left (in column 0, above it).
function base({ rows: [, h], columns: [, w] }, grey, flow, coder) {
  const x = picture(h, w), sums = [0, 1, 2].map(() => new Float64Array(h * w));
  for (let c = 0; c < (grey ? 1 : 3); c++) {
    const values = coder.take(new Int32Array(h * w).fill(flow.table(BASE_ROWS[c], 0)), flow.frequencies);
    values.forEach((value, i) => {
      const before = i % w ? sums[c][i - 1] : i ? sums[c][i - w] : c ? 0 : 128;
      sums[c][i] = before + value;
    });
  }
  for (let i = 0; i < h * w; i++) {
    const pixel = toRgb(...sums.map((sum) => Math.min(Math.max(sum[i], -BASE_MAX), BASE_MAX)));
    if (pixel.some((value) => value < 0 || value > PIXEL_MAX)) throw damaged("A segment's symbols are out of range");
    pixel.forEach((value, c) => { x.planes[c][i] = value; });
  }
  return x;
}

// The details (R, G, B) of the first `pairs` rows of a mean picture.
async function details(mean, pairs, coded, number, grey, flow, coder) {
  const { rows, columns } = mean, area = rows * columns, most = flow.settings.detail_max;
  const planes = [planesOf(mean), 7], known = new Float32Array(2 * area);
  const found = [0, 1, 2].map(() => new Int32Array(pairs * columns));
  let features;
  for (let colour = 0; colour < (grey ? 1 : 3); colour++) {
    const feeds = colour ? { planes, known: [known, colour], features } : { planes };
    const [mu, row, more] = await flow.run(number, colour, 0, rows, columns, feeds);
    if (more) features = [more.data, more.data.length / area];
    const index = flow.stepIndex(number, colour), step = flow.steps[index], offset = flow.rowOffsets[index];
    const errors = new Float32Array(area);
    for (const [turn, [top, left]] of PASSES.entries()) {
      const h = pairs - top + 1 >> 1, w = columns - left + 1 >> 1;
      if (h < 1 || w < 1) continue;
      const seen = { errors: [errors, 1], features };
      const added = turn ? await flow.run(number, colour, turn, rows, columns, seen) : null;
      const predictions = new Int32Array(h * w), places = [], tables = [], signs = [];
      for (let i = 0; i < h * w; i++) {
        const y = top + 2 * Math.floor(i / w), x = left + 2 * (i % w), at = y * columns + x;
        const from = added ? Math.floor(i / w) * added[0].columns + i % w : 0;
        const own = mu.data[at] + (added ? added[0].data[from] : 0);
        const told = row.data[at] + (added ? added[1].data[from] : 0);
        const prediction = predictions[i] = own + MEAN_UNITS / 2 >> 4;
        const table = Math.min(Math.max(told - offset + 2 >> 2, 0), flow.mostRows);
        if (y < coded.rows[0] || y >= coded.rows[1] || x < coded.columns[0] || x >= coded.columns[1]) continue;
        if (step !== WHOLE_STEP && table === 0) continue;
        const fraction = own - MEAN_UNITS * prediction;
        places.push(i);
        signs.push(fraction < 0 ? -1 : 1);
        tables.push(flow.table(table, Math.floor(Math.abs(fraction) * (8 * WHOLE_STEP / MEAN_UNITS) / step)));
      }
      const symbols = coder.take(tables, flow.frequencies), residuals = new Float64Array(h * w);
      places.forEach((i, n) => {
        const size = Math.floor((Math.abs(symbols[n]) * step + 128) / 256);
        residuals[i] = symbols[n] * signs[n] < 0 ? -size : size;
      });
      for (let i = 0; i < h * w; i++) {
        const at = (top + 2 * Math.floor(i / w)) * columns + left + 2 * (i % w);
        const [low, high] = ends(mean.planes, found, at, colour);
        const made = found[colour][at] = Math.min(Math.max(predictions[i] + residuals[i], low), high);
        errors[at] = Math.min(Math.max(made - (mu.data[at] + MEAN_UNITS / 2 >> 4), -most), most);
      }
    }
    if (colour < 2) found[colour].forEach((value, i) => { known[colour * area + i] = Math.min(Math.max(value, -most), most); });
  }
  const d = { rows: pairs, columns, planes: found };
  for (let i = 0; i < found[0].length; i++) [found[0][i], found[1][i], found[2][i]] = toRgb(found[0][i], found[1][i], found[2][i]);
  return d;
}

// Where a detail may lie: the decoder clips to that, so that every pixel lies in 0 .. 255.
function ends([r, g, b], found, at, colour) {
  const low = (mean) => Math.max(2 * (mean - PIXEL_MAX), -2 * mean - 1);
  const high = (mean) => Math.min(2 * mean + 1, 2 * (PIXEL_MAX - mean));
  const between = (mean, a0, a1, b0, b1) => [
    Math.max(2 * (mean - b1), 2 * (a0 - mean) - 1), Math.min(2 * (mean - b0) + 1, 2 * (a1 - mean)),
  ];
  const r0 = low(r[at]), r1 = high(r[at]), g0 = low(g[at]), g1 = high(g[at]), b0 = low(b[at]), b1 = high(b[at]);
  const m0 = r0 + b0 >> 1, m1 = r1 + b1 >> 1, y = found[0][at];
  if (colour === 0) return [g0 + m0 >> 1, g1 + m1 >> 1];
  return colour === 1 ? between(y, g0, g1, m0, m1) : between(y - (found[1][at] >> 1), r0, r1, b0, b1);
}

// What the networks see of decoded pixels: 7 planes of integers.
function planesOf({ rows, columns, planes: [r, g, b] }) {
  const area = rows * columns, found = new Float32Array(7 * area);
  const c = [0, 1, 2].map(() => new Int32Array(area));
  for (let i = 0; i < area; i++) {
    c[0][i] = r[i] + 2 * g[i] + b[i] >> 2;
    c[1][i] = g[i] - (r[i] + b[i] >> 1);
    c[2][i] = r[i] - b[i];
    found[6 * area + i] = (c[0][i] >> 3) - 16;
  }
  c.forEach((plane, n) => {
    for (let i = 0; i < area; i++) {
      if (i + columns < area) found[n * area + i] = plane[i] - plane[i + columns];
      if ((i + 1) % columns) found[(3 + n) * area + i] = plane[i] - plane[i + 1];
    }
  });
  return found;
}
