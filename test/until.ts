/** Waits for a condition, for half a minute at most. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Still not so: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
