// Runs networks; the only file that knows onnxruntime-web. One thread of WebAssembly, which needs no
// special headers and is exact where the networks are (docs/exactness.md).

import { GencodecError } from "./errors.js";

let ort;

// Starts onnxruntime-web, from the folder where its files lie.
export async function start(folder) {
  ort ??= await import(`${folder}ort.wasm.min.mjs`);
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "fatal";
}

export class Model {
  constructor(file) {
    this.file = file;
    this.sessions = new Map();
  }

  // Outputs of a role, in order, for inputs given by name: typed arrays with their `dims`.
  async run(role, feeds) {
    if (!this.sessions.has(role)) {
      const options = { executionProviders: ["wasm"], logSeverityLevel: 4, enableMemPattern: false };
      this.sessions.set(role, ort.InferenceSession.create(this.file.role(role), options));
    }
    const session = await this.sessions.get(role);
    const tensors = {};
    for (const [name, [data, ...dims]] of Object.entries(feeds)) {
      const type = data instanceof BigInt64Array ? "int64" : "float32";
      tensors[`${role}/${name}`] = new ort.Tensor(type, data, dims);
    }
    const found = await session.run(tensors);
    return session.outputNames.map((name) => Object.assign(found[name].data, { dims: found[name].dims }));
  }
}
