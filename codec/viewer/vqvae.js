// The vqvae scheme, as codec/schemes/vqvae: codes under gated PixelCNNs on integers.

import { checkMatches, crc32 } from "./container.js";
import { Decoder } from "./entropy.js";
import { damaged } from "./errors.js";
import { SEGMENT, decodeTiles } from "./tiling.js";

const GATE_MAX = 127, STATE_MAX = 255, LOGIT_MAX = 1023, TOTAL = 2 ** 20, MARGIN = 2;

export async function decode(header, segments, model) {
  const { file } = model, all = file.settings.levels;
  const levels = Math.min(all, 1 + Math.floor(header.quality * all / 10000));
  const vectors = file.table("codevectors"), [, codes, dims] = vectors.dims;
  const priors = model.priors ??= Array.from({ length: all }, (_, level) => new Prior(file, level));
  const decoded = (number, h, w) => {
    const found = decodeSegment(segments[number], h, w, priors.slice(0, levels));
    const z = new Float32Array(dims * h * w);
    found.forEach((plane, level) => plane.forEach((code, i) => {
      for (let d = 0; d < dims; d++) z[d * h * w + i] += vectors[(level * codes + code) * dims + d];
    }));
    return z;
  };
  const sent = Float32Array.from({ length: all }, (_, level) => level === levels - 1);
  const synthesis = async (z, h, w) => (await model.run("synthesis", { z: [z, 1, dims, h, w], sent: [sent, 1, all] }))[0];
  return decodeTiles(header, segments, file.settings.halo, SEGMENT, dims, decoded, synthesis);
}

// Codes of one segment: an Int32Array (h, w) a level.
function decodeSegment(data, h, w, priors) {
  if (data.length < 2) throw damaged("A segment is too short");
  const coder = new Decoder(data.subarray(2)), state = new PriorState(priors, h, w);
  const order = Array.from({ length: h * w }, (_, i) => i); // by waves of equal x + 2 y
  const wave = (i) => i % w + 2 * Math.floor(i / w);
  order.sort((a, b) => wave(a) - wave(b));
  for (const level of priors.keys()) {
    state.begin(level);
    for (const i of order) {
      const at = state.places[i];
      state.put(level, at, coder.takeOne(state.frequencies(at), TOTAL));
    }
  }
  coder.finish();
  const found = state.codes.map((plane) => Int32Array.from(state.places, (at) => plane[at]));
  const crc = found.reduce((sum, plane) => crc32(new Uint8Array(plane.buffer), sum), 0);
  if (!checkMatches(crc, data, 0)) throw damaged("The codes of a segment do not match their check");
  return found;
}

// Offsets [dy, dx] of a square kernel with dx + 2 dy < below.
function taps(reach, below = Infinity) {
  const found = [];
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) if (dx + 2 * dy < below) found.push([dy, dx]);
  }
  return found;
}

// clip(floor((weight x + bias) 2**-shift + 1/2)) on integers, of the numbers in `x`.
class Layer {
  constructor(file, name, part, low, high) {
    const weight = file.table(`${name}.${part}.weight`), bias = file.table(`${name}.${part}.bias`);
    const { shift } = file.about.exact[name].find((layer) => layer.weight === `tables/${name}.${part}.weight`);
    const inputs = weight.length / bias.length, padded = Math.ceil(bias.length / 4) * 4;
    Object.assign(this, { bias, shift, low, high, weight: new weight.constructor(padded * inputs) });
    this.weight.set(weight);
    this.x = new Int32Array(inputs);
    this.sums = new Int32Array(padded);
    this.out = new Int32Array(bias.length);
  }

  run() {
    const { x, weight, bias, sums, out, low, high, shift } = this, inputs = x.length, half = shift ? 1 << shift - 1 : 0;
    for (let o = 0; o < sums.length; o += 4) { // four at once
      let first = o * inputs, second = first + inputs, third = second + inputs, fourth = third + inputs;
      let a = 0, b = 0, c = 0, d = 0;
      for (let i = 0; i < inputs; i++) {
        const value = x[i];
        a = a + Math.imul(value, weight[first++]) | 0;
        b = b + Math.imul(value, weight[second++]) | 0;
        c = c + Math.imul(value, weight[third++]) | 0;
        d = d + Math.imul(value, weight[fourth++]) | 0;
      }
      sums[o] = a;
      sums[o + 1] = b;
      sums[o + 2] = c;
      sums[o + 3] = d;
    }
    for (let o = 0; o < out.length; o++) {
      const value = sums[o] + bias[o] + half >> shift;
      out[o] = value < low ? low : value > high ? high : value;
    }
    return out;
  }
}

// One level's weights.
class Prior {
  constructor(file, level) {
    const name = `prior${level}`, depth = file.settings.depth;
    const layer = (part, low, high) => new Layer(file, name, part, low, high);
    const gates = (part) => Array.from({ length: depth }, (_, i) => layer(part + i, -GATE_MAX, GATE_MAX));
    const own = file.table(`${name}.own`);
    this.embedding = own.dims[1];
    this.own = clipped(own);
    if (level) {
      const others = file.table(`${name}.others`), each = others.length / level;
      this.others = Array.from({ length: level }, (_, i) => clipped(others.subarray(i * each, (i + 1) * each)));
      [this.near, this.far] = [layer("near", 0, GATE_MAX), layer("far", 0, GATE_MAX)];
    }
    this.first = layer("first", -GATE_MAX, GATE_MAX);
    [this.gated, this.added] = [gates("gated"), gates("added")];
    this.hidden = layer("hidden", 0, GATE_MAX);
    this.logits = layer("logits", -LOGIT_MAX, LOGIT_MAX);
    [this.tanh, this.sigmoid, this.exp] = ["tanh", "sigmoid", "exp"].map((each) => file.table(each));
    this.width = this.hidden.out.length;
  }

  // The first half of x through tanh times the other through a sigmoid, into `out`.
  gate(x, out) {
    for (let i = 0; i < this.width; i++) {
      out[i] = this.tanh[x[i] + GATE_MAX] * this.sigmoid[x[this.width + i] + GATE_MAX] + 64 >> 7;
    }
  }

  // Positive integers of sum TOTAL, from the logits.
  frequencies(logits) {
    const { exp } = this, mass = new Float64Array(logits.length), share = TOTAL - mass.length;
    let best = 0, whole = 0, rest = TOTAL;
    for (let k = 1; k < mass.length; k++) if (logits[k] > logits[best]) best = k;
    for (let k = 0; k < mass.length; k++) whole += mass[k] = exp[Math.min(logits[best] - logits[k], exp.length - 1)];
    for (let k = 0; k < mass.length; k++) rest -= mass[k] = Math.floor(mass[k] * share / whole) + 1;
    mass[best] += rest;
    return mass;
  }
}

// Codes' numbers (codes, embedding).
function clipped(table) {
  return Int32Array.from(table, (value) => Math.max(value, -GATE_MAX));
}

// The codes of a segment in a frame with a margin, and what the priors' layers gave so far.
class PriorState {
  constructor(priors, h, w) {
    this.priors = priors;
    this.stride = w + 2 * MARGIN;
    this.size = (h + 2 * MARGIN) * this.stride;
    this.codes = priors.map(() => new Int32Array(this.size));
    this.places = Array.from({ length: h * w }, (_, i) => (Math.floor(i / w) + MARGIN) * this.stride + i % w + MARGIN);
  }

  // Goes to a level: works out the condition from the levels before.
  begin(level) {
    const prior = this.prior = this.priors[level], { width, embedding } = prior;
    const plane = () => new Int32Array(this.size * width);
    this.states = prior.gated.map(plane);
    this.state = new Int32Array(width);
    this.own = new Int32Array(this.size * embedding); // the numbers of this level's codes
    this.condition = level ? plane() : new Int32Array();
    if (!level) return;
    const seen = new Int32Array(this.size * level * embedding), near = plane();
    for (const at of this.places) {
      prior.others.forEach((table, i) => {
        const code = this.codes[i][at];
        seen.set(table.subarray(code * embedding, (code + 1) * embedding), (at * level + i) * embedding);
      });
    }
    const around = this.steps(taps(1));
    for (const at of this.places) near.set(this.run(prior.near, seen, at, around), at * width);
    for (const at of this.places) this.condition.set(this.run(prior.far, near, at, around), at * width);
  }

  steps(offsets) {
    return offsets.map(([dy, dx]) => dy * this.stride + dx);
  }

  // A layer of what `rows` hold around a place, and of the condition there if the layer takes more.
  run(layer, rows, at, steps) {
    const { x } = layer, depth = rows.length / this.size, taken = steps.length * depth;
    for (let n = 0, to = 0; n < steps.length; n++) {
      for (let from = (at + steps[n]) * depth, d = 0; d < depth; d++) x[to++] = rows[from++];
    }
    const { width } = this.prior;
    for (let i = taken, from = at * width; i < x.length; i++) x[i] = this.condition[from++];
    return layer.run();
  }

  // Of each code at a place, from the codes that it may see.
  frequencies(at) {
    const { prior, state, states } = this, { width } = prior;
    this.before ??= this.steps(taps(2, 0));
    this.around ??= this.steps(taps(1, 1));
    prior.gate(this.run(prior.first, this.own, at, this.before), state);
    prior.gated.forEach((gated, i) => {
      states[i].set(state, at * width);
      prior.gate(this.run(gated, states[i], at, this.around), prior.added[i].x);
      const added = prior.added[i].run();
      for (let k = 0; k < width; k++) state[k] = Math.min(Math.max(state[k] + added[k], -STATE_MAX), STATE_MAX);
    });
    prior.hidden.x.set(state);
    prior.hidden.x.set(this.condition.subarray(at * width, (at + 1) * width), width);
    prior.logits.x.set(prior.hidden.run());
    return prior.frequencies(prior.logits.run());
  }

  // Puts a code of the level where it was decoded.
  put(level, at, code) {
    const { embedding, own } = this.prior;
    this.codes[level][at] = code;
    this.own.set(own.subarray(code * embedding, (code + 1) * embedding), at * embedding);
  }
}
