// Decodes beside the page, which so stays responsive and can give up on it.

import { Library, decompress } from "./decompress.js";
import { GencodecError } from "./errors.js";
import { toPng } from "./image.js";
import { useRuntime } from "./session.js";

const at = (name) => new URL(name, import.meta.url).href;
useRuntime(at("runtime/"));
const library = new Library(async (name) => {
  const response = await fetch(at(`models/${name}`));
  if (!response.ok) throw new GencodecError(`The page lacks its file models/${name}; build it again with gencodec viewer.`);
  return new Uint8Array(await response.arrayBuffer());
});

async function decodeImage(data, type) {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const image = await createImageBitmap(new Blob([data], { type }), options);
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

self.onmessage = async ({ data: { bytes } }) => {
  const start = performance.now();
  try {
    const found = await decompress(bytes, library, decodeImage);
    const seconds = (performance.now() - start) / 1000, png = await toPng(found);
    self.postMessage({ codec: found.codec, header: found.header, seconds, png: new Blob([png], { type: "image/png" }) });
  } catch (error) {
    const message = error instanceof GencodecError ? error.message : `The picture cannot be decoded here (${error.message}).`;
    self.postMessage({ error: message });
  }
};
