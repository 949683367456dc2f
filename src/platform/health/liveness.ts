/** Returns the report of the liveness probe. It must not depend on anything outside the process. */
export function getLiveness() {
  return { status: 'ok' as const, message: 'PetSage API is alive and running!' };
}
