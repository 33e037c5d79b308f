// Model files, as codec/modelfile: one ONNX file that holds several networks (roles) and tables.

import { damagedModel } from "./errors.js";

const KEY = "gencodec";
// Older files have other names for some entries: codec/modelfile/__init__.py has the whole table.
const RENAMED = {
  side: "part", bank: "prior_index_freq", banks: "z_priors", colour_place: "colour_offset",
  ladder: "quality_map", mix_top: "gain_top", octave: "steps_per_octave", quiet: "skipped",
  rungs: "gain_levels",
};
const MODEL_GRAPH = 7, MODEL_METADATA = 14, GRAPH_INITIALIZER = 5;
const GRAPH_NAMED = { 1: 3, 5: 8, 11: 1, 12: 1, 13: 1 }; // field -> field of its own that is its name
const TENSOR_TYPES = {
  1: Float32Array, 2: Uint8Array, 3: Int8Array, 4: Uint16Array, 5: Int16Array, 6: Int32Array,
  10: Uint16Array, // float16, as its bits
};
const text = new TextDecoder();

export class ModelFile {
  constructor(data) {
    this.head = [];
    this.graph = []; // [owner, bytes] of each field of the graph
    this.weights = new Map();
    for (const [number, value, raw] of fields(data)) {
      if (number === MODEL_METADATA) {
        const pair = new Map(fields(value).map(([key, part]) => [key, part]));
        if (text.decode(pair.get(1)) === KEY) this.about = renamed(JSON.parse(text.decode(pair.get(2))));
      } else if (number !== MODEL_GRAPH) this.head.push(raw);
      else for (const [inner, content, piece] of fields(value)) this.addToGraph(inner, content, piece);
    }
    if (this.about?.format !== 1) throw damagedModel("it holds no description of gencodec");
    this.settings = renamed(this.about.settings);
  }

  addToGraph(number, content, piece) {
    let owner = "";
    if (number in GRAPH_NAMED) {
      const named = fields(content).findLast(([key]) => key === GRAPH_NAMED[number]);
      const title = named ? text.decode(named[1]) : "";
      owner = title.split("/")[0] || "?";
      if (number === GRAPH_INITIALIZER) this.weights.set(title, content);
    }
    this.graph.push([owner, piece]);
  }

  // One role as an ONNX model of its own.
  role(name) {
    const parts = this.graph.filter(([owner]) => owner === name || owner === "").map(([, raw]) => raw);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    return joined([...this.head, Uint8Array.of(MODEL_GRAPH << 3 | 2, ...varint(size)), ...parts]);
  }

  // The table tables/NAME: its numbers, and its dimensions as `dims`.
  table(name) {
    const old = Object.keys(RENAMED).find((each) => RENAMED[each] === name);
    const found = this.weights.get(`tables/${old}`) ?? this.weights.get(`tables/${name}`);
    if (!found) throw damagedModel(`it lacks the table ${name}`);
    const dims = [];
    let kind, raw = new Uint8Array();
    for (const [number, value] of fields(found)) {
      if (number === 1) dims.push(...(typeof value === "number" ? [value] : varints(value)));
      else if (number === 2) kind = value;
      else if (number === 9) raw = value;
    }
    const Kind = TENSOR_TYPES[kind];
    if (!Kind) throw damagedModel(`its table ${name} is damaged`);
    let values = new Kind(raw.slice().buffer); // little-endian, as every machine that has a browser
    if (kind === 10) values = Float32Array.from(values, half);
    return Object.assign(values, { dims });
  }
}

function renamed(about) {
  return Object.fromEntries(Object.entries(about).map(([name, value]) => [RENAMED[name] ?? name, value]));
}

function half(bits) {
  const exponent = bits >> 10 & 31, fraction = bits & 1023;
  const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

// Typed arrays of one kind, one behind another.
export function joined(parts) {
  const whole = new parts[0].constructor(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

// Protocol Buffers: [number, number or bytes, the field's own bytes] of each field of a message.
function fields(data) {
  const found = [];
  for (let at = 0; at < data.length;) {
    const start = at;
    let key, value;
    [key, at] = readVarint(data, at);
    const wire = key & 7;
    if (wire === 0) [value, at] = readVarint(data, at);
    else {
      let size = wire === 1 ? 8 : 4;
      if (wire === 2) [size, at] = readVarint(data, at);
      value = data.subarray(at, at + size);
      at += size;
    }
    if (at > data.length || ![0, 1, 2, 5].includes(wire)) throw damagedModel("it is not an ONNX file");
    found.push([Math.floor(key / 8), value, data.subarray(start, at)]);
  }
  return found;
}

function readVarint(data, at) {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = data[at++];
    if (byte === undefined || factor > 2 ** 63) throw damagedModel("it is not an ONNX file");
    value += (byte & 127) * factor;
    if (byte < 128) return [value, at];
  }
}

function varints(data) {
  const values = [];
  for (let at = 0, value; at < data.length; values.push(value)) [value, at] = readVarint(data, at);
  return values;
}

function varint(value) {
  const out = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push(value % 128 + 128);
  return [...out, value];
}
