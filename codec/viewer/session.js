// Runs networks; the only file that knows onnxruntime-web. One thread of WebAssembly, which needs no
// special headers and is exact where the networks are (docs/exactness.md).

let folder, runtime;

// Says where onnxruntime-web lies; it is not loaded before a network runs.
export function useRuntime(url) {
  folder = url;
}

async function load() {
  const ort = await import(`${folder}ort.wasm.min.mjs`);
  Object.assign(ort.env.wasm, { wasmPaths: folder, numThreads: 1 });
  ort.env.logLevel = "fatal"; // what matters comes back as an error
  return ort;
}

export class Model {
  constructor(file) {
    this.file = file;
    this.sessions = new Map();
  }

  // Outputs of a role, in order, with their `dims`, for inputs by name: [numbers, ...dims].
  async run(role, feeds) {
    const ort = await (runtime ??= load());
    if (!this.sessions.has(role)) {
      // Each session would keep the memory that it once needed, and flow has 36 networks and more.
      const memory = { enableCpuMemArena: false, enableMemPattern: false };
      const options = { executionProviders: ["wasm"], logSeverityLevel: 4, ...memory };
      this.sessions.set(role, ort.InferenceSession.create(this.file.role(role), options));
    }
    const session = await this.sessions.get(role), tensors = {};
    for (const [name, [data, ...dims]] of Object.entries(feeds)) {
      const type = data instanceof BigInt64Array ? "int64" : "float32";
      tensors[`${role}/${name}`] = new ort.Tensor(type, data, dims);
    }
    const found = await session.run(tensors);
    return session.outputNames.map((name) => Object.assign(found[name].data, { dims: found[name].dims }));
  }
}
