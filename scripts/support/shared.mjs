/**
 * The same work, done once for each key: who asks for what is under way, or done, waits for that.
 * @template Key
 * @template Result
 * @param {(key: Key) => Promise<Result>} work
 * @returns {(key: Key) => Promise<Result>}
 */
export function shared(work) {
  /** @type {Map<Key, Promise<Result>>} */
  const begun = new Map();
  return (key) => {
    const result = begun.get(key) ?? work(key);
    begun.set(key, result);
    return result;
  };
}
