// Errors whose message is a sentence for people to read.

export class GencodecError extends Error {}

const REMEDY = "the file is damaged, copy or download it again";

export function damaged(what) {
  return new GencodecError(`${what}: ${REMEDY}.`);
}

export function damagedModel(why) {
  return new GencodecError(`The model cannot be used: ${why}.`);
}
