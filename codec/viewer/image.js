// The pictures inside a file (tiles of graphics, the alpha plane) and the one that is made of it.

import { EXIF, ICC, crc32 } from "./container.js";
import { damaged } from "./errors.js";
import { joined } from "./modelfile.js";

const PNG_MAGIC = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const ascii = (text) => new TextEncoder().encode(text);
const isText = (data, at, text) => ascii(text).every((byte, i) => data[at + i] === byte);

// Width and height that a lossless WebP or PNG file states, and its MIME type; checked before anything
// is decoded, so that a payload cannot ask for more memory than its picture takes.
function stated(data, what, kinds) {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  if (isText(data, 0, "RIFF") && isText(data, 8, "WEBPVP8L") && data.length >= 25 && data[20] === 0x2f) {
    const bits = view.getUint32(21, true);
    if (!(bits >>> 29)) return { type: "image/webp", width: (bits & 0x3fff) + 1, height: (bits >> 14 & 0x3fff) + 1 };
  } else if (PNG_MAGIC.every((byte, i) => data[i] === byte) && data.length >= 33 && isText(data, 12, "IHDR")) {
    const [bits, colour, ...methods] = data.subarray(24, 29);
    const known = kinds.some(([type, most]) => type === colour && bits <= most);
    if (known && methods.every((method) => method === 0)) {
      return { type: "image/png", width: view.getUint32(16), height: view.getUint32(20) };
    }
  }
  throw damaged(`${what} is neither WebP nor PNG of a known kind`);
}

// RGBA of such a file, decoded by `decodeImage(data, type)`, which gives { width, height, data }.
export async function decodeInner(data, width, height, what, kinds, decodeImage) {
  const found = stated(data, what, kinds);
  if (found.width !== width || found.height !== height) throw damaged(`${what} has not the size that it must have`);
  let image;
  try {
    image = await decodeImage(data, found.type);
  } catch (error) {
    throw damaged(`${what} cannot be decoded (${error.message})`);
  }
  if (image.width !== width || image.height !== height) throw damaged(`${what} has not the size that it must have`);
  return image.data;
}

// Some of the four channels of RGBA.
export function channels(rgba, first, count) {
  const found = new Uint8Array(rgba.length / 4 * count);
  for (let i = first, to = 0; i < rgba.length; i += 4) for (let c = 0; c < count; c++) found[to++] = rgba[i + c];
  return found;
}

// Alpha (a byte a pixel) of the payload of an alpha chunk.
export async function decodeAlpha(data, { width, height }, decodeImage) {
  if (data.length === 1) return new Uint8Array(width * height).fill(data[0]);
  return channels(await decodeInner(data, width, height, "The alpha plane", [[0, 8]], decodeImage), 1, 1);
}

// A PNG file of decoded pixels: grey or RGB, with or without alpha, with the ICC profile and EXIF.
export async function toPng({ header, metadata, rgb, alpha }) {
  const { width, height, grey } = header, colours = grey ? 1 : 3, depth = colours + (alpha ? 1 : 0);
  const rows = new Uint8Array(height * (1 + width * depth)), row = width * depth;
  for (let y = 0, to = 0, i = 0; y < height; y++) {
    rows[to++] = 0;
    for (let x = 0; x < width; x++, i++) {
      if (grey) rows[to++] = Math.floor((rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2] + 1) / 3);
      else for (let c = 0; c < 3; c++) rows[to++] = rgb[3 * i + c];
      if (alpha) rows[to++] = alpha[i];
    }
  }
  for (let y = height - 1; y >= 0; y--) filter(rows, y * (row + 1), row, depth);
  const head = new Uint8Array(13), view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, (grey ? 0 : 2) + (alpha ? 4 : 0), 0, 0, 0], 8);
  const parts = [Uint8Array.from(PNG_MAGIC), chunk("IHDR", head)];
  const icc = metadata.get(ICC), exif = metadata.get(EXIF);
  if (icc) parts.push(chunk("iCCP", joined([ascii("ICC profile\0\0"), await deflated(icc)])));
  if (exif) parts.push(chunk("eXIf", exif));
  return joined([...parts, chunk("IDAT", await deflated(rows)), chunk("IEND", new Uint8Array())]);
}

// Replaces a row by its differences from the pixels to the left (PNG's filter Sub).
function filter(rows, start, length, depth) {
  rows[start] = 1;
  for (let i = length; i > depth; i--) rows[start + i] -= rows[start + i - depth];
}

function chunk(type, data) {
  const head = new Uint8Array(8), tail = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, data.length);
  head.set(ascii(type), 4);
  new DataView(tail.buffer).setUint32(0, crc32(data, crc32(head.subarray(4))));
  return joined([head, data, tail]);
}

async function deflated(data) {
  const stream = new Blob([data]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
