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
      state.codes[level][at] = coder.takeOne(state.frequencies(at), TOTAL);
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

// clip(floor((weight x + bias) 2**-shift + 1/2)) on integers.
class Layer {
  constructor(file, name, part, low, high) {
    const weight = file.table(`${name}.${part}.weight`);
    this.weight = Int32Array.from(weight);
    this.bias = Int32Array.from(file.table(`${name}.${part}.bias`));
    this.shift = file.about.exact[name].find((layer) => layer.weight === `tables/${name}.${part}.weight`).shift;
    Object.assign(this, { low, high, inputs: this.weight.length / this.bias.length });
    this.out = new Int32Array(this.bias.length);
  }

  run(x) {
    const { weight, bias, shift, low, high, inputs, out } = this, half = shift ? 1 << shift - 1 : 0;
    for (let o = 0; o < out.length; o++) {
      let sum = bias[o];
      for (let i = 0, at = o * inputs; i < inputs; i++) sum += Math.imul(x[i], weight[at++]);
      sum = sum + half >> shift;
      out[o] = sum < low ? low : sum > high ? high : sum;
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
    [this.none, this.embedding] = own.dims; // `none`, behind the last code, stands for "no code"
    this.own = withZeros(own, this.none);
    if (level) {
      const others = file.table(`${name}.others`), each = others.length / level;
      this.others = Array.from({ length: level }, (_, i) => withZeros(others.subarray(i * each, i * each + each), this.none));
      [this.near, this.far] = [layer("near", 0, GATE_MAX), layer("far", 0, GATE_MAX)];
    }
    this.first = layer("first", -GATE_MAX, GATE_MAX);
    [this.gated, this.added] = [gates("gated"), gates("added")];
    this.hidden = layer("hidden", 0, GATE_MAX);
    this.logits = layer("logits", -LOGIT_MAX, LOGIT_MAX);
    [this.tanh, this.sigmoid, this.exp] = ["tanh", "sigmoid", "exp"].map((each) => file.table(each));
    this.width = this.hidden.out.length;
  }

  // The first half of x through tanh times the other through a sigmoid.
  gate(x) {
    return Int32Array.from({ length: this.width }, (_, i) => (
      this.tanh[x[i] + GATE_MAX] * this.sigmoid[x[this.width + i] + GATE_MAX] + 64 >> 7));
  }

  // Positive integers of sum TOTAL, from the logits.
  frequencies(logits) {
    const best = logits.indexOf(Math.max(...logits)), { exp } = this;
    const mass = Float64Array.from(logits, (logit) => exp[Math.min(logits[best] - logit, exp.length - 1)]);
    const whole = mass.reduce((a, b) => a + b), share = TOTAL - mass.length;
    let rest = TOTAL;
    for (let k = 0; k < mass.length; k++) rest -= mass[k] = Math.floor(mass[k] * share / whole) + 1;
    mass[best] += rest;
    return mass;
  }
}

// Codes' numbers (codes, embedding), with a row of zeros at the end for positions without a code.
function withZeros(table, codes) {
  const found = new Int32Array(table.length + table.length / codes);
  found.set(table.map((value) => Math.max(value, -GATE_MAX)));
  return found;
}

// The codes of a segment in a frame with a margin, and what the priors' layers gave so far.
class PriorState {
  constructor(priors, h, w) {
    this.priors = priors;
    this.stride = w + 2 * MARGIN;
    this.size = (h + 2 * MARGIN) * this.stride;
    this.codes = priors.map((prior) => new Int32Array(this.size).fill(prior.none));
    this.places = Array.from({ length: h * w }, (_, i) => (Math.floor(i / w) + MARGIN) * this.stride + i % w + MARGIN);
  }

  // Goes to a level: works out the condition from the levels before.
  begin(level) {
    const prior = this.prior = this.priors[level], { width, embedding } = prior;
    this.level = level;
    this.condition = new Int32Array(level ? this.size * width : 0);
    if (level) {
      const seen = new Int32Array(this.size * level * embedding), near = new Int32Array(this.size * width);
      for (const at of this.places) {
        prior.others.forEach((table, i) => {
          const code = this.codes[i][at];
          seen.set(table.subarray(code * embedding, (code + 1) * embedding), (at * level + i) * embedding);
        });
      }
      for (const [from, layer, to, depth] of [[seen, prior.near, near, level * embedding], [near, prior.far, this.condition, width]]) {
        for (const at of this.places) to.set(layer.run(this.around(from, depth, at, taps(1))), at * width);
      }
    }
    this.states = prior.gated.map(() => new Int32Array(this.size * width));
  }

  // Of each code at a place, from the codes that it may see.
  frequencies(at) {
    const { prior } = this, { width, embedding } = prior, none = [];
    const condition = this.level ? this.condition.subarray(at * width, (at + 1) * width) : none;
    const x = [];
    for (const [dy, dx] of taps(2, 0)) {
      const code = this.codes[this.level][at + dy * this.stride + dx];
      x.push(...prior.own.subarray(code * embedding, (code + 1) * embedding));
    }
    let state = prior.gate(prior.first.run([...x, ...condition]));
    prior.gated.forEach((gated, i) => {
      this.states[i].set(state, at * width);
      const seen = [...this.around(this.states[i], width, at, taps(1, 1)), ...condition];
      const added = prior.added[i].run(prior.gate(gated.run(seen)));
      state = state.map((value, k) => Math.min(Math.max(value + added[k], -STATE_MAX), STATE_MAX));
    });
    return prior.frequencies(prior.logits.run(prior.hidden.run([...state, ...condition])));
  }

  around(rows, depth, at, offsets) {
    const found = new Int32Array(offsets.length * depth);
    offsets.forEach(([dy, dx], n) => {
      const from = (at + dy * this.stride + dx) * depth;
      found.set(rows.subarray(from, from + depth), n * depth);
    });
    return found;
  }
}
