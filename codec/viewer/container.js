// The .gnc file, as codec/container and docs/format.md.

import { GencodecError, damaged } from "./errors.js";

const MAGIC = [0x89, 0x47, 0x4e, 0x43];
const VERSION = 1, HEADER_FIXED = 12, MAX_VARINT_BYTES = 5;
const MAX_SIDE = 2 ** 20, MAX_PIXELS = 2 ** 30, MAX_METADATA = 2 ** 24, MAX_PAYLOAD = 2 ** 30;
const MAX_CHUNKS = 2 ** 16, MAX_QUALITY = 10000;
const GREY = 1, LOSSLESS = 2, STABLE = 4;
export const ICC = 1, EXIF = 2, ALPHA = 4;
const SEGMENT = 16, RESOLUTION = 33;
const NAMES = { 1: "ICC profile", 2: "EXIF", 3: "XMP", 4: "alpha", 16: "segment", 33: "resolution" };

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? byte >>> 1 ^ 0xedb88320 : byte >>> 1;
  return byte;
});

// CRC-32 as in zlib, of bytes that follow those of `crc`.
export function crc32(data, crc = 0) {
  let value = ~crc;
  for (let i = 0; i < data.length; i++) value = CRC_TABLE[(value ^ data[i]) & 255] ^ value >>> 8;
  return ~value >>> 0;
}

// Whether the low 16 bits of the CRC of some bytes are those at the start of a segment.
export function checkMatches(crc, data, at) {
  return (crc & 0xffff) === (data[at] | data[at + 1] << 8);
}

function cutOff(length) {
  return new GencodecError(`The file is cut off after ${length} bytes; copy or download it again.`);
}

// The value, and the position behind it.
function readVarint(data, position) {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    if (position + index >= data.length) throw cutOff(data.length);
    const byte = data[position + index];
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) {
      if (byte === 0 && index > 0) break;
      return [value, position + index + 1];
    }
  }
  throw damaged(`The number at byte ${position} is malformed`);
}

function readHeader(data) {
  if (!data.length) throw new GencodecError("The file is empty; copy or download it again.");
  if (MAGIC.some((byte, i) => i < data.length && data[i] !== byte)) {
    throw new GencodecError("This is not a .gnc file; gencodec compress makes one from a picture.");
  }
  if (data[4] > VERSION) {
    throw new GencodecError(`The file has container version ${data[4]}, and this page reads up to ` +
      `${VERSION}; it is damaged or needs a newer page.`);
  }
  if (data[4] < VERSION) {
    throw new GencodecError(`The file has container version ${data[4]}, of gencodec before 1.0, ` +
      "which no version reads any more; compress its original again.");
  }
  if (data.length < MAGIC.length + HEADER_FIXED) throw cutOff(data.length);
  const [width, behind] = readVarint(data, MAGIC.length + HEADER_FIXED);
  const [height, end] = readVarint(data, behind);
  if (data.length < end + 2) throw cutOff(data.length);
  if (!checkMatches(crc32(data.subarray(0, end)), data, end)) {
    throw damaged("The checksum of the header does not match");
  }
  const flags = data[5] >> 4, quality = data[6] | data[7] << 8;
  const outside = flags > (GREY | LOSSLESS | STABLE) ? "flags" : quality > MAX_QUALITY ? "quality"
    : width < 1 || width > MAX_SIDE ? "width" : height < 1 || height > MAX_SIDE ? "height" : "";
  if (outside) throw damaged(`The header's ${outside} is out of its range`);
  if (width * height > MAX_PIXELS) {
    throw new GencodecError(`${width} x ${height} pixels are more than the ${MAX_PIXELS} that a .gnc file holds.`);
  }
  const decoder = Array.from(data.subarray(8, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const header = { scheme: data[5] & 15, quality, decoder, width, height };
  return [{ ...header, grey: !!(flags & GREY), lossless: !!(flags & LOSSLESS) }, end + 2];
}

// A whole file, its checksums verified: header, metadata by type, payloads of the segments.
export function read(data) {
  let [header, position] = readHeader(data);
  const metadata = new Map(), segments = [];
  let previous = 0;
  for (let count = 1; position < data.length; count++) {
    const type = data[position], name = NAMES[type] ?? `extension ${type}`;
    if (count > MAX_CHUNKS) throw damaged(`The file has more than ${MAX_CHUNKS} chunks`);
    if (previous === SEGMENT && type !== SEGMENT) throw damaged("Bytes follow the last segment");
    if (!(type in NAMES) && !(type >= 32 && type < 64)) {
      throw new GencodecError(`The file has a chunk of unknown type ${type}; it is damaged or needs a newer page.`);
    }
    if (type <= SEGMENT) {
      if (type <= previous && previous < SEGMENT) throw damaged(`The file has its ${name} more than once or out of order`);
      previous = type;
    }
    const [length, start] = readVarint(data, position + 1);
    if (length > (type === ALPHA || type === SEGMENT ? MAX_PAYLOAD : MAX_METADATA)) {
      throw damaged(`The file's ${name} claims ${length} bytes, more than is allowed`);
    }
    const end = start + length;
    if (end + 4 > data.length) throw cutOff(data.length);
    const payload = data.subarray(start, end);
    const crc = crc32(payload, crc32(data.subarray(position, position + 1)));
    if (crc !== new DataView(data.buffer, data.byteOffset).getUint32(end, true)) {
      throw damaged(`The checksum of its ${name}${type === SEGMENT ? ` ${segments.length}` : ""} does not match`);
    }
    if (type === SEGMENT) segments.push(payload);
    else if (type < SEGMENT || type === RESOLUTION) {
      if (metadata.has(type)) throw damaged(`The file has its ${name} more than once`);
      metadata.set(type, payload);
    }
    position = end + 4;
  }
  if (previous !== SEGMENT) throw cutOff(data.length);
  return { header, metadata, segments };
}
