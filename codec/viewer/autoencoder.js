// The autoencoder scheme, as codec/schemes/autoencoder.

import { checkMatches, crc32 } from "./container.js";
import { Decoder, TOTAL, Tables } from "./entropy.js";
import { damaged } from "./errors.js";
import { joined } from "./modelfile.js";
import { levelWeights, qualityPosition } from "./quality.js";
import { cut, decodeTiles } from "./tiling.js";

const LARGEST = 32, HYPER = 4; // positions a side of a segment; of y, each way, a position of z

export async function decode(header, segments, model) {
  const { settings } = model.file;
  const weights = levelWeights(qualityPosition(settings.quality_map, header.quality), settings.gain_levels);
  const mix = [weights, 1, weights.length];
  model.tables ??= {
    y: new Tables(...["low", "size", "freq"].map((part) => model.file.table(`y_${part}`)), true),
    z: new Tables(...["low", "size", "freq"].map((part) => model.file.table(`z_${part}`))),
  };
  const tables = { ...model.tables, priorIndex: priorIndex(weights, model.file.table("prior_index_freq")) };
  const decoded = (number, h, w) => decodeSegment(segments[number], h, w, model, mix, tables);
  const synthesis = async (y, h, w) => (await model.run("synthesis", { y: [y, 1, settings.y, h, w], mix }))[0];
  return decodeTiles(header, segments, settings.halo, LARGEST, settings.y, decoded, synthesis);
}

// The one-row table of the indices of priors of z.
function priorIndex(weights, frequencies) {
  const size = frequencies.length / weights.length, row = new Int32Array(size + 1);
  for (let k = 0; k < size; k++) {
    let sum = 0;
    for (let level = 0; level < weights.length; level++) sum += weights[level] * frequencies[level * size + k];
    row[k] = Math.floor(sum / 256);
  }
  row[row.indexOf(Math.max(...row))] += TOTAL - 1 - row.reduce((a, b) => a + b);
  row[size] = 1;
  return new Tables([0], [size + 1], row);
}

// y of one segment, (channels, h, w).
async function decodeSegment(data, h, w, model, mix, tables) {
  const { y: channels, z: zChannels, z_max, z_priors, residual_max, skipped } = model.file.settings;
  if (data.length < 2) throw damaged("A segment is too short");
  const coder = new Decoder(data.subarray(2)), symbols = [];
  const hz = Math.ceil(h / HYPER), wz = Math.ceil(w / HYPER), grid = [HYPER * hz, HYPER * wz];
  const index = coder.take(new Int32Array(hz * wz), tables.priorIndex);
  if (index.some((prior) => prior < 0 || prior >= z_priors)) throw damaged("A segment names a prior that does not exist");
  const z = coder.take(Int32Array.from({ length: zChannels * hz * wz },
    (_, i) => index[i % (hz * wz)] * zChannels + Math.floor(i / (hz * wz))), tables.z);
  if (z.some((value) => Math.abs(value) > z_max)) throw damaged("A segment's symbols are out of range");

  const group = channels / 2, board = checkerboard(h, w), wide = checkerboard(h, w, wz * HYPER);
  const hyper = { z: [Float32Array.from(z), 1, zChannels, hz, wz], mix, even: wide.even, odd: wide.odd };
  const [first, second, exact] = await model.run("hyper_index", hyper);
  const [mean1, mean2, features] = await model.run("hyper_mean", hyper);
  // Residuals where they are coded, all at the segment's edge; the latents are the mean plus these.
  const take = (mean, rows, edges) => {
    const scales = joined(rows), places = [], cut = group * edges[0].length;
    const atEdge = (i) => i < cut ? edges[0][i % edges[0].length] : edges[1][(i - cut) % edges[1].length];
    for (let i = 0; i < scales.length; i++) if (scales[i] > skipped || atEdge(i)) places.push(i);
    const values = coder.take(places.map((place) => scales[place]), tables.y);
    const latents = joined(mean), residuals = new Int32Array(scales.length);
    symbols.push(values);
    places.forEach((place, i) => {
      residuals[place] = values[i];
      latents[place] += values[i];
    });
    return [latents, residuals];
  };
  const [anchors, residuals] = take([mean1, mean2], [first, second], [board.evenEdges, board.oddEdges]);
  const halves = (flat) => {
    const cut = group * board.evens;
    return [[flat.subarray(0, cut), group, board.evens], [flat.subarray(cut), group, board.odds]];
  };
  const cells = { mix, even: board.even, odd: board.odd, place: board.place };
  const magnitude = Float32Array.from(residuals, (value) => Math.min(Math.abs(value), residual_max));
  const [magnitude_even, magnitude_odd] = halves(magnitude);
  const seen = [cut(exact, exact.dims[1], grid, [0, 0], [h, w]), 1, exact.dims[1], h, w];
  const rows = await model.run("context_index", { ...cells, magnitude_even, magnitude_odd, features: seen });
  const [y1_even, y1_odd] = halves(anchors), depth = features.dims[3];
  const near = [cut(features, 1, grid, [0, 0], [h, w], depth), 1, h, w, depth];
  const mean = await model.run("context_mean", { ...cells, y1_even, y1_odd, features: near });
  const [nonAnchors] = take(mean, rows, [board.oddEdges, board.evenEdges]);
  coder.finish();
  const parts = [index, z, ...symbols].map((part) => new Uint8Array(part.buffer));
  if (!checkMatches(parts.reduce((crc, part) => crc32(part, crc), 0), data, 0)) {
    throw damaged("The symbols of a segment do not match their check");
  }
  return join(anchors, nonAnchors, channels, h * w, board);
}

// Even and odd positions (of a grid of `stride` columns), which of them lie at its edge, and where each
// lies in even, then odd.
function checkerboard(h, w, stride = w) {
  const even = [], odd = [], evenEdges = [], oddEdges = [], place = new BigInt64Array(h * w);
  const evens = Math.ceil(h * w / 2);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const own = (x + y) % 2 ? odd : even;
      place[y * w + x] = BigInt(own.length + (own === odd ? evens : 0));
      own.push(BigInt(y * stride + x));
      (own === odd ? oddEdges : evenEdges).push(!y || !x || y === h - 1 || x === w - 1);
    }
  }
  const tensor = (list) => [BigInt64Array.from(list), list.length];
  return { even: tensor(even), odd: tensor(odd), place: [place, h, w], evens, odds: odd.length, evenEdges, oddEdges };
}

// Anchors (even positions of the first half of the channels, odd ones of the others) and non-anchors.
function join(anchors, nonAnchors, channels, area, { evens, odds, place: [place] }) {
  const whole = new Float32Array(channels * area), group = channels / 2;
  for (let c = 0; c < channels; c++) {
    const second = c >= group, inner = c % group;
    const even = (second ? group * odds : 0) + inner * evens, odd = (second ? group * evens : 0) + inner * odds;
    for (let i = 0; i < area; i++) {
      const at = Number(place[i]), isEven = at < evens;
      const source = isEven === second ? nonAnchors : anchors;
      whole[c * area + i] = isEven ? source[even + at] : source[odd + at - evens];
    }
  }
  return whole;
}
