/** What is in one list and not in the other, as texts, each entry as often as it is there; the first few of each. */
export function difference(
  one: readonly unknown[],
  other: readonly unknown[],
): { missing: string[]; extra: string[] } {
  const left = counted(one);
  const right = counted(other);
  return { missing: only(left, right), extra: only(right, left) };
}

/** The same entries, in any order. */
export const SAME = { missing: [], extra: [] };

function counted(list: readonly unknown[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of list) {
    const text = typeof entry === 'string' ? entry : JSON.stringify(entry);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return counts;
}

function only(one: Map<string, number>, other: Map<string, number>): string[] {
  const texts = [...one].filter(([text, count]) => (other.get(text) ?? 0) < count);
  return texts.slice(0, 5).map(([text]) => text);
}
