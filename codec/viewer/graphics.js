// The graphics scheme, as codec/schemes/graphics: tiles that are lossless WebP or PNG files.

import { checkMatches, crc32 } from "./container.js";
import { damaged } from "./errors.js";
import { channels, decodeInner } from "./image.js";
import { STRIDE, boxes, paste, positions, requireSegments } from "./tiling.js";

const LARGEST = 2048 / STRIDE, CHECK_BYTES = 2;
const PNG_KINDS = [[0, 8], [3, 8], [2, 8]]; // colour type, bits a sample at most: grey, palette, RGB

export async function decode(header, segments, model, decodeImage) {
  const tiles = boxes(...positions(header), LARGEST);
  requireSegments(segments, tiles.length);
  const rgb = new Uint8Array(header.width * header.height * 3);
  for (const [number, tile] of tiles.entries()) {
    const side = ([start, end], length) => Math.min(end * STRIDE, length) - start * STRIDE;
    const width = side(tile.columns, header.width), height = side(tile.rows, header.height);
    const data = segments[number].subarray(CHECK_BYTES);
    const pixels = channels(await decodeInner(data, width, height, `Segment ${number}`, PNG_KINDS, decodeImage), 0, 3);
    if (!checkMatches(crc32(pixels), segments[number], 0)) throw damaged(`The pixels of segment ${number} are not those that were written`);
    paste(pixels, width, { inner: tile }, rgb, header);
  }
  return rgb;
}
