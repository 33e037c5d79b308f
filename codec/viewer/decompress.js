// A .gnc file to pixels, as codec/api/compression.py.

import * as autoencoder from "./autoencoder.js";
import { ALPHA, read } from "./container.js";
import { GencodecError, damaged } from "./errors.js";
import * as flow from "./flow.js";
import * as graphics from "./graphics.js";
import { decodeAlpha } from "./image.js";
import { ModelFile } from "./modelfile.js";
import { Model } from "./session.js";
import * as vqvae from "./vqvae.js";

const SCHEMES = { 1: { name: "autoencoder", ...autoencoder }, 2: { name: "flow", ...flow },
  3: { name: "vqvae", ...vqvae }, 4: { name: "graphics", ...graphics } };
const MOST_PIXELS = 200_000_000; // that are opened, as the Python reader does

// Finds models by the digest that a file names; `load(name)` gives the bytes of a file of models/.
export class Library {
  constructor(load) {
    this.load = load;
    this.models = new Map();
  }

  async decoderFor(scheme, digest) {
    this.table ??= JSON.parse(new TextDecoder().decode(await this.load("models.json")));
    const about = this.table[scheme]?.decoders?.[digest];
    if (!about) {
      throw new GencodecError(`The file was written with decoder ${scheme}-${digest.slice(0, 8)}, which this page does not have.`);
    }
    if (!this.models.has(digest)) this.models.set(digest, new Model(new ModelFile(await this.load(about.file))));
    return this.models.get(digest);
  }
}

// What the header says of a file, and its parts.
function inspect(data) {
  const found = read(data), { header } = found, scheme = SCHEMES[header.scheme];
  if (!scheme) throw new GencodecError(`The file was written with codec number ${header.scheme}, which this page does not have.`);
  if (header.width * header.height > MOST_PIXELS) {
    throw new GencodecError(`The picture has ${header.width} x ${header.height} pixels, more than the ${MOST_PIXELS} that are opened.`);
  }
  if (header.lossless && scheme.name !== "flow" && scheme.name !== "graphics") {
    throw damaged(`The file claims to be lossless, which ${scheme.name} is not`);
  }
  return { ...found, scheme };
}

// Pixels: header, metadata, rgb (3 bytes a pixel), and alpha (a byte a pixel) or null.
export async function decompress(data, library, decodeImage) {
  const { header, metadata, segments, scheme } = inspect(data);
  const model = scheme.name === "graphics" && /^0*$/.test(header.decoder) ? null
    : await library.decoderFor(scheme.name, header.decoder);
  const rgb = await scheme.decode(header, segments, model, decodeImage);
  const alpha = metadata.has(ALPHA) ? await decodeAlpha(metadata.get(ALPHA), header, decodeImage) : null;
  return { codec: scheme.name, header, metadata, rgb, alpha };
}
