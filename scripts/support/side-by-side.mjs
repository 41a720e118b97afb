import { availableParallelism } from 'node:os';

/** How many compilers are worth running at once. */
export const processors = availableParallelism();

/**
 * Does the work for each, so many at a time. After one that failed none is begun, and what is under way
 * comes to its end first.
 * @template Item
 * @param {readonly Item[]} items
 * @param {number} atOnce
 * @param {(item: Item) => Promise<void>} work
 */
export async function sideBySide(items, atOnce, work) {
  const left = [...items];
  /** @type {unknown[]} */
  const failures = [];
  const lane = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      try {
        await work(item);
      } catch (error) {
        failures.push(error);
        left.length = 0;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, atOnce) }, lane));
  if (failures.length > 0) throw failures[0];
}
