// Entropy decoding of integers under stored frequency tables, as codec/entropy.

import { damaged } from "./errors.js";

export const TOTAL = 2 ** 16; // every row's frequencies sum to this
const MOST = 2 ** 22, BLOCK = 8, FEWEST = 64, LENGTH_CLASSES = 16, PRECISION = 24;
const WHOLE = 2 ** PRECISION, WORD = 2 ** 32;

const wrong = () => damaged("The entropy-coded stream of a segment is damaged");

// Where the interval of each symbol begins, and WHOLE behind the last, for weights (Categorical).
function intervals(weights) {
  const begins = new Int32Array(weights.length + 1);
  const scale = (WHOLE - weights.length) / weights.reduce((sum, weight) => sum + weight, 0);
  for (let k = 0, sum = 0; k < weights.length; sum += weights[k++]) begins[k] = Math.floor(sum * scale) + k;
  begins[weights.length] = WHOLE;
  return begins;
}

function uniform(size) {
  return Int32Array.from({ length: size + 1 }, (_, k) => k * (WHOLE / size)); // a power of two
}

// Rows of frequencies over low .. low + size - 2, the last entry being the escape.
export class Tables {
  constructor(low, sizes, frequencies, blocks = false) {
    let start = 0;
    this.rows = Array.from(low, (lowest, row) => {
      const weights = Array.from(frequencies.subarray(start, start += sizes[row]));
      if (weights.length < 2 || weights.some((w) => w < 1) || weights.reduce((a, b) => a + b) !== TOTAL) {
        throw damaged("A frequency table of the model is no such table");
      }
      const zero = -lowest, inside = zero >= 0 && zero < weights.length - 1;
      const mostlyZero = blocks && inside && weights.length > 2 && 2 * weights[zero] >= TOTAL;
      return { low: lowest, last: lowest + weights.length - 1, weights, zero, mostlyZero };
    });
  }

  model(row) {
    return this.rows[row].model ??= intervals(this.rows[row].weights);
  }

  // Of a mostly zero row: which values of a block are not zero, and a value that is not.
  blockModels(row) {
    const about = this.rows[row];
    if (!about.blocks) {
      const zeros = BigInt(about.weights[about.zero]), others = BigInt(TOTAL) - zeros;
      const counts = Array.from({ length: BLOCK + 1 }, (_, k) => {
        const chance = zeros ** BigInt(BLOCK - k) * others ** BigInt(k);
        return Math.max(1, Number(BigInt(MOST) * chance / BigInt(TOTAL) ** BigInt(BLOCK)));
      });
      const masks = Array.from({ length: 2 ** BLOCK }, (_, mask) => counts[ones(mask)]);
      masks[0] += MOST - masks.reduce((a, b) => a + b);
      about.blocks = [intervals(masks), intervals(about.weights.filter((_, k) => k !== about.zero))];
    }
    return about.blocks;
  }
}

function ones(mask) {
  let count = 0;
  for (; mask; mask &= mask - 1) count++;
  return count;
}

// Reads a stream: the state of constriction's AnsCoder is high * 2**32 + low.
export class Decoder {
  constructor(data) {
    if (data.length % 4) throw wrong();
    this.words = new Uint32Array(data.slice().buffer);
    this.left = this.words.length;
    this.high = this.low = 0;
    if (this.left && !this.words[this.left - 1]) throw wrong();
    while (this.left && !this.high) this.refill();
  }

  refill() {
    this.high = this.low;
    this.low = this.words[--this.left];
  }

  // Takes a symbol off whose interval is begin .. begin + width - 1.
  pop(begin, width) {
    const upper = (this.high >>> 16) * width; // the bits above PRECISION, in two parts
    const lower = ((this.high & 0xffff) << 8 | this.low >>> PRECISION) * width;
    const sum = lower + (this.low & WHOLE - 1) - begin + (upper % 256) * WHOLE;
    this.low = sum >>> 0;
    this.high = Math.floor(sum / WORD) + Math.floor(upper / 256);
    if (!this.high && this.left) this.refill();
  }

  decode(begins, count) {
    const found = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const at = this.low & WHOLE - 1;
      let symbol = 0;
      for (let end = begins.length - 1; end - symbol > 1;) {
        const middle = symbol + end >> 1;
        if (begins[middle] <= at) symbol = middle;
        else end = middle;
      }
      this.pop(begins[symbol], begins[symbol + 1] - begins[symbol]);
      found[i] = symbol;
    }
    return found;
  }

  // The next values, one for each of `rows`, which name rows of the tables.
  take(rows, tables) {
    const values = new Int32Array(rows.length), escaped = [];
    for (const [row, places] of groups(rows, tables.rows.length)) {
      const { low, last, mostlyZero } = tables.rows[row];
      const blocks = mostlyZero && places.length >= FEWEST;
      const entries = blocks ? this.takeBlocks(row, places.length, tables) : this.decode(tables.model(row), places.length);
      for (let i = 0; i < places.length; i++) {
        const value = values[places[i]] = entries[i] + low;
        if (value === last) escaped.push(places[i]);
      }
    }
    if (escaped.length) this.takeEscaped(escaped, values, rows, tables);
    return values;
  }

  // Values of a mostly zero row, as their indices in it.
  takeBlocks(row, count, tables) {
    const { zero } = tables.rows[row], [masks, rest] = tables.blockModels(row);
    const found = this.decode(masks, Math.ceil(count / BLOCK));
    if (count % BLOCK && found.at(-1) & 255 >> count % BLOCK) throw wrong();
    const others = this.decode(rest, found.reduce((sum, mask) => sum + ones(mask), 0));
    const entries = new Int32Array(count).fill(zero);
    for (let i = 0, next = 0; i < count; i++) {
      if (found[i >> 3] & 128 >> (i & 7)) {
        const entry = others[next++];
        entries[i] = entry + (entry >= zero);
      }
    }
    return entries;
  }

  takeEscaped(places, values, rows, tables) {
    const lengths = this.decode(uniform(LENGTH_CLASSES), places.length);
    const below = this.decode(uniform(2), places.length);
    const distances = new Int32Array(places.length);
    for (let bits = 1; bits < LENGTH_CLASSES; bits++) {
      for (let i = 0; i < places.length; i++) {
        if (lengths[i] === bits) distances[i] = this.decode(uniform(2 ** bits), 1)[0] + 2 ** bits - 1;
      }
    }
    places.forEach((place, i) => {
      const { low, last } = tables.rows[rows[place]];
      values[place] = below[i] ? low - 1 - distances[i] : last + distances[i];
    });
  }

  // The next value under a table of its own, positive integers of the sum `total`.
  takeOne(frequencies, total) {
    const at = this.low & WHOLE - 1, scale = (WHOLE - frequencies.length) / total;
    let symbol = 0, begin = 0, sum = 0;
    for (; ;) {
      sum += frequencies[symbol];
      const last = symbol === frequencies.length - 1;
      const end = last ? WHOLE : Math.floor(sum * scale) + symbol + 1;
      if (end > at) {
        this.pop(begin, end - begin);
        return symbol;
      }
      begin = end;
      symbol++;
    }
  }

  finish() {
    if (this.high || this.low || this.left) throw wrong();
  }
}

// [row, the places that it has, ascending] of each row used, ascending.
function groups(rows, count) {
  const places = Array.from({ length: count }, () => []);
  for (let i = 0; i < rows.length; i++) places[rows[i]].push(i);
  return [...places.entries()].filter(([, each]) => each.length);
}
