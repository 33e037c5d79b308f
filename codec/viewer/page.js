// The page: a .gnc file dropped, chosen or named by ?src= is shown.

const at = (id) => document.getElementById(id);
const FIT = 0, MOST_ZOOM = 32;
let worker, busy = false, turn = 0, shown, zoom = FIT;

function say(state, text) {
  document.body.dataset.state = state; // ready, busy, shown or failed
  at("status").textContent = text;
}

// Gives up on a file that is being decoded: another one is wanted.
function stop() {
  if (busy) {
    worker.terminate();
    worker = null;
  }
  busy = false;
}

function decode(bytes, name) {
  worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    busy = false;
    if (data.error) say("failed", `${name}: ${data.error}`);
    else show(data, bytes.length, name);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    worker = null;
    busy = false;
    say("failed", "This browser cannot run the decoder; a newer one can.");
  };
  busy = true;
  say("busy", `Decoding ${name} ...`);
  worker.postMessage({ bytes });
}

async function open(name, source) {
  const own = ++turn;
  stop();
  at("picture").hidden = true;
  say("busy", `Reading ${name} ...`);
  try {
    const bytes = new Uint8Array(await source());
    if (own === turn) decode(bytes, name);
  } catch (error) {
    if (own === turn) say("failed", `${name} cannot be read: ${error.message}.`);
  }
}

async function show({ codec, header, seconds, png }, size, name) {
  const own = turn;
  URL.revokeObjectURL(at("image").src);
  at("image").src = at("save").href = URL.createObjectURL(png);
  at("image").alt = name;
  at("save").download = name.replace(/\.gnc$/i, "") + ".png";
  const fits = await at("image").decode().then(() => true, () => false);
  if (own !== turn) return;
  shown = header;
  const kind = header.lossless ? "lossless" : `quality ${header.quality / 100}`;
  const bpp = 8 * size / (header.width * header.height);
  at("facts").textContent = `${header.width} x ${header.height} pixels, ${codec}, ${kind}, ` +
    `${size.toLocaleString("en")} bytes, ${bpp.toFixed(2)} bits per pixel, decoded in ${seconds.toFixed(2)} s`;
  at("picture").hidden = false;
  setZoom(FIT);
  say("shown", fits ? name : `${name} is too large to be shown by this browser; save it as PNG.`);
}

function setZoom(wanted) {
  const { width, height } = shown, { clientWidth, clientHeight } = at("stage");
  const fit = Math.min(1, clientWidth / width, clientHeight / height);
  zoom = wanted === FIT ? fit : Math.min(Math.max(wanted, fit, 1 / MOST_ZOOM), MOST_ZOOM);
  at("image").style.width = `${width * zoom}px`;
  at("image").style.imageRendering = zoom > 1 ? "pixelated" : "auto";
  at("zoom").textContent = `${Math.round(100 * zoom)} %`;
}

at("fit").onclick = () => setZoom(FIT);
at("full").onclick = () => setZoom(1);
at("in").onclick = () => setZoom(zoom * 2);
at("out").onclick = () => setZoom(zoom / 2);
const openFile = (file) => file && open(file.name, () => file.arrayBuffer());
at("file").onchange = () => openFile(at("file").files[0]);
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  openFile(event.dataTransfer.files[0]);
};

say("ready", "Drop a .gnc file here.");
const source = new URLSearchParams(location.search).get("src");
if (source) {
  open(source.split("/").at(-1), async () => {
    const response = await fetch(source);
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return response.arrayBuffer();
  });
}
