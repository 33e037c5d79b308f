// From a quality to the weights of the gain levels, as codec/schemes/quality.py.

export function qualityPosition(qualityMap, quality) {
  for (let i = 1; i < qualityMap.length; i++) {
    const [[q0, p0], [q1, p1]] = [qualityMap[i - 1], qualityMap[i]];
    if (quality <= q1) return p0 + Math.floor(((p1 - p0) * (quality - q0) * 2 + (q1 - q0)) / (2 * (q1 - q0)));
  }
  return qualityMap.at(-1)[1];
}

// Integers that sum to 256.
export function levelWeights(position, levels) {
  const weights = new Float32Array(levels), level = Math.min(position >> 8, levels - 2);
  weights[level + 1] = position - 256 * level;
  weights[level] = 256 - weights[level + 1];
  return weights;
}
