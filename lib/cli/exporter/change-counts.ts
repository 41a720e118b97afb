import { prefixesToRanges, rangesWithout } from '../../model/prefix-set.js';
import type { Family } from '../../model/socket.js';
import type { Exposure, Scope } from '../../reach/exposure-row.js';

/** From the widest to the narrowest; what may be wide comes before what is narrow for sure. */
export const SCOPES: readonly Scope[] = ['routed', 'link', 'unknown', 'host', 'nobody'];

/**
 * How often who reaches a listener has changed. Every count is there from the start: of a series that
 * appears with its first change Prometheus would see no increase.
 */
export class ChangeCounts {
  /** By the scope before (`none`: it is new) and the one now, which are the same where peers alone differ. */
  readonly changes = new Map(
    ['none', ...SCOPES].flatMap((was) =>
      SCOPES.map((scope): [string, { was: string; scope: Scope; count: number }] => [
        `${was} ${scope}`,
        { was, scope, count: 0 },
      ]),
    ),
  );
  /** Changes by which somebody gets in who did not, by the scope now. */
  readonly widened = new Map(SCOPES.map((scope) => [scope, 0]));
  /** Changes by which somebody gets in no more, by the scope before. */
  readonly narrowed = new Map(SCOPES.map((scope) => [scope, 0]));

  count({ exposure, was }: { exposure: Exposure; was: Exposure | null }): void {
    this.changes.get(`${was?.scope ?? 'none'} ${exposure.scope}`)!.count += 1;
    if (someoneOnlyIn(exposure, was)) add(this.widened, exposure.scope);
    if (was && someoneOnlyIn(was, exposure)) add(this.narrowed, was.scope);
  }
}

const add = (counts: Map<Scope, number>, scope: Scope): void => {
  counts.set(scope, (counts.get(scope) ?? 0) + 1);
};

/** Does anybody get in by one that does not by the other, through the same door? */
function someoneOnlyIn(one: Exposure, other: Exposure | null): boolean {
  const theirs = doorsOf(other);
  return [...doorsOf(one)].some(([door, peers]) => {
    const those = theirs.get(door) ?? [];
    if (those.join() === peers.join()) return false;
    return (['ipv4', 'ipv6'] as Family[]).some(
      (family) =>
        rangesWithout(prefixesToRanges(peers, family), prefixesToRanges(those, family)).length > 0,
    );
  });
}

function doorsOf(exposure: Exposure | null): Map<string, string[]> {
  const doors = new Map<string, string[]>();
  for (const { interface: name, address, port, peers } of exposure?.reach ?? []) {
    const door = `${name} ${address} ${port}`;
    doors.set(door, [...(doors.get(door) ?? []), ...peers]);
  }
  return doors;
}
