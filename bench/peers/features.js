/** Lists the features that a peer serves besides its two routes. Their number is in FEATURES. */
export function listFeatures() {
  return Array.from({ length: Number(process.env.FEATURES ?? 0) }, (_, index) => {
    const id = String(index + 1).padStart(4, '0');
    return { name: `feature_${id}`, path: `/feature-${id}` };
  });
}
