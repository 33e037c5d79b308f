// How a latent grid is cut into segments and tiles, as codec/schemes/tiling.py and segments.py.

import { damaged } from "./errors.js";

export const STRIDE = 16, SEGMENT = 48;
const UNIT = 4, GROUP = 96, WHOLE = 128 * 72;

// A span is [start, end]; a box is { rows, columns }, spans of positions.
const size = ([start, end]) => end - start;
const shared = (one, other) => [Math.max(one[0], other[0]), Math.min(one[1], other[1])];
const widened = ([start, end], by, length) => [Math.max(0, start - by), Math.min(length, end + by)];

function spans(length, largest) {
  const count = Math.max(1, Math.ceil(length / largest)), units = Math.ceil(length / UNIT);
  const ends = Array.from({ length: count }, (_, i) => UNIT * Math.ceil(units * (i + 1) / count));
  ends[count - 1] = length;
  return ends.map((end, i) => [i ? ends[i - 1] : 0, end]);
}

export function boxes(rows, columns, largest = SEGMENT) {
  const across = spans(columns, largest);
  return spans(rows, largest).flatMap((one) => across.map((other) => ({ rows: one, columns: other })));
}

// Rows and columns of the grid of a picture.
export function positions({ width, height }) {
  return [Math.ceil(height / STRIDE), Math.ceil(width / STRIDE)];
}

export function requireSegments(segments, wanted) {
  if (segments.length !== wanted) throw damaged(`The file holds ${segments.length} segments where its picture has ${wanted}`);
}

// The h x w positions from top, left of `planes` grids of rows x columns, each position `depth` numbers.
export function cut(data, planes, [rows, columns], [top, left], [h, w], depth = 1) {
  if (!top && !left && rows === h && columns === w) return data.subarray(0, planes * h * w * depth);
  const found = new data.constructor(planes * h * w * depth);
  for (let plane = 0, to = 0; plane < planes; plane++) {
    for (let y = top; y < top + h; y++, to += w * depth) {
      const from = ((plane * rows + y) * columns + left) * depth;
      found.set(data.subarray(from, from + w * depth), to);
    }
  }
  return found;
}

// What a network sees (outer), and what of its result is used (inner), tile by tile.
function tiles(rows, columns, halo, largest) {
  const along = (length) => rows * columns <= WHOLE ? [[0, length]] : grouped(length, largest);
  const down = along(rows), across = along(columns);
  const cut = rows <= columns
    ? across.flatMap((other) => down.map((one) => [one, other]))
    : down.flatMap((one) => across.map((other) => [one, other]));
  return cut.map(([one, other]) => ({
    inner: { rows: one, columns: other },
    outer: { rows: widened(one, halo, rows), columns: widened(other, halo, columns) },
  }));
}

function grouped(length, largest) {
  const ends = spans(length, largest).map(([, end]) => end);
  const each = Math.max(1, Math.floor(GROUP / Math.floor(length / ends.length)));
  const cuts = [0, ...ends.filter((end, i) => (i + 1) % each === 0 && end < length), length];
  return cuts.slice(1).map((end, i) => [cuts[i], end]);
}

// Pixels of a picture whose latents (`channels` planes of Float32Array) come from segments that
// `decode(number, rows, columns)` decodes, and whose pixels `synthesis(latents, rows, columns)` makes.
export async function decodeTiles(header, segments, halo, largest, channels, decode, synthesis) {
  const [rows, columns] = positions(header), places = boxes(rows, columns, largest);
  requireSegments(segments, places.length);
  const rgb = new Uint8Array(header.width * header.height * 3), kept = new Map();
  const cut = tiles(rows, columns, halo, largest);
  const sees = ({ outer }, box) => size(shared(outer.rows, box.rows)) > 0 && size(shared(outer.columns, box.columns)) > 0;
  for (const [turn, tile] of cut.entries()) {
    const { outer } = tile, h = size(outer.rows), w = size(outer.columns);
    const window = new Float32Array(channels * h * w);
    for (const [number, box] of places.entries()) {
      if (!sees(tile, box)) continue;
      const bh = size(box.rows), bw = size(box.columns);
      const part = kept.get(number) ?? await decode(number, bh, bw);
      const [top, bottom] = shared(outer.rows, box.rows), [left, right] = shared(outer.columns, box.columns);
      for (let c = 0; c < channels; c++) {
        for (let y = top; y < bottom; y++) {
          const from = (c * bh + y - box.rows[0]) * bw - box.columns[0];
          window.set(part.subarray(from + left, from + right), (c * h + y - outer.rows[0]) * w + left - outer.columns[0]);
        }
      }
      const later = cut.slice(turn + 1).some((other) => sees(other, box));
      if (later) kept.set(number, part);
      else kept.delete(number);
    }
    const pixels = await synthesis(window, h, w); // (1, 16 h, 16 w, 3)
    paste(pixels, pixels.dims[2], tile, rgb, header);
  }
  return rgb;
}

// Puts a tile's pixels, `across` a row (of its outer box, or its inner one where it has no other), into `rgb`.
export function paste(pixels, across, { inner, outer = inner }, rgb, { width, height }) {
  const top = inner.rows[0] * STRIDE, left = inner.columns[0] * STRIDE;
  const bottom = Math.min(height, inner.rows[1] * STRIDE), right = Math.min(width, inner.columns[1] * STRIDE);
  for (let y = top; y < bottom; y++) {
    const from = ((y - outer.rows[0] * STRIDE) * across + left - outer.columns[0] * STRIDE) * 3;
    rgb.set(pixels.subarray(from, from + (right - left) * 3), (y * width + left) * 3);
  }
}
