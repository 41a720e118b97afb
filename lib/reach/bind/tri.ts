/** True, false, or not told. */
export type Tri = boolean | null;

/** Kleene's logic: what is not told leaves open only what depends on it. */
export function and(...values: readonly Tri[]): Tri {
  if (values.includes(false)) return false;
  return values.includes(null) ? null : true;
}

export function or(...values: readonly Tri[]): Tri {
  if (values.includes(true)) return true;
  return values.includes(null) ? null : false;
}

export function not(value: Tri): Tri {
  return value === null ? null : !value;
}
