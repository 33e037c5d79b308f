// Runs the parser and the entropy decoder of codec/viewer on cases from standard input, as JSON.

const [folder] = process.argv.slice(2);
const { read } = await import(`${folder}/container.js`);
const { Decoder, Tables } = await import(`${folder}/entropy.js`);

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

function outcome(work) {
  try {
    return work();
  } catch (error) {
    return { error: error.message, kind: error.constructor.name };
  }
}

function parsed(text) {
  const { header, metadata, segments } = read(bytes(text));
  return { header, metadata: [...metadata].map(([type, data]) => [type, data.length]), segments: segments.map((data) => data.length) };
}

function decoded({ data, tables, calls }) {
  const coder = new Decoder(bytes(data));
  const found = calls.map(([kind, table, argument]) => {
    if (kind === "each") return argument.map((frequencies) => coder.takeOne(frequencies, table));
    const { low, sizes, frequencies, blocks } = tables[table];
    return Array.from(coder.take(argument, new Tables(low, sizes, Int32Array.from(frequencies), blocks)));
  });
  coder.finish();
  return found;
}

let input = "";
for await (const part of process.stdin) input += part;
const { files, streams } = JSON.parse(input);
console.log(JSON.stringify({
  files: files.map((text) => outcome(() => parsed(text))),
  streams: streams.map((stream) => outcome(() => decoded(stream))),
}));
