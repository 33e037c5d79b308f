// The graphics scheme, as codec/schemes/graphics: tiles that are lossless WebP or PNG files.

import { checkMatches, crc32 } from "./container.js";
import { damaged } from "./errors.js";
import { channels, decodeInner } from "./image.js";
import { STRIDE, boxes, paste, positions, requireSegments } from "./tiling.js";

const LARGEST = 2048 / STRIDE, CHECK_BYTES = 2, PNG_FIRST = 0x89;
const PNG_KINDS = [[0, 8], [3, 8], [2, 8]]; // colour type, bits a sample at most: grey, palette, RGB

export async function decode(header, segments, model, decodeImage) {
  const tiles = boxes(...positions(header), LARGEST);
  requireSegments(segments, tiles.length);
  const rgb = new Uint8Array(header.width * header.height * 3);
  for (const [number, tile] of tiles.entries()) {
    const side = ([start, end], length) => Math.min(end * STRIDE, length) - start * STRIDE;
    const width = side(tile.columns, header.width), height = side(tile.rows, header.height);
    const data = segments[number].subarray(CHECK_BYTES);
    if (!isWhole(data)) throw damaged(`Segment ${number} is cut off or holds more than a picture`);
    const pixels = channels(await decodeInner(data, width, height, `Segment ${number}`, PNG_KINDS, decodeImage), 0, 3);
    if (!checkMatches(crc32(pixels), segments[number], 0)) throw damaged(`The pixels of segment ${number} are not those that were written`);
    paste(pixels, width, { inner: tile }, rgb, header);
  }
  return rgb;
}

// Whether a file is one VP8L chunk without alpha, or a PNG of the chunks that a picture takes, and no more.
function isWhole(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  if (data[0] !== PNG_FIRST) {
    if (data.length < 25 || view.getUint32(21, true) >>> 28) return false;
    const length = view.getUint32(16, true);
    return view.getUint32(4, true) === data.length - 8 && length + length % 2 === data.length - 20;
  }
  let types = "";
  for (let at = 8, end; at < data.length; at = end + 4) {
    end = at + 12 <= data.length ? at + 8 + view.getUint32(at) : Infinity;
    if (end + 4 > data.length || crc32(data.subarray(at + 4, end)) !== view.getUint32(end)) return false;
    types += String.fromCharCode(...data.subarray(at + 4, at + 8));
  }
  return /^IHDR(PLTE)?(IDAT)+IEND$/.test(types);
}
